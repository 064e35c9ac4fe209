//! The workload of the benchmarks: a seeded source folder of any size.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

/// How many segments there are; half of them in each of two namespaces.
const SEGMENTS: u64 = 200;
/// 2026-01-01T00:00:00Z, in seconds since 1970: everything happens in the 300 days after it.
const YEAR: u64 = 1_767_225_600;

const DATASETS: [(&str, &str, &str); 4] = [
    ("crm", "aaaaaaaaaaaaaaaaaaaaaaa1", "profile"),
    ("loyalty", "aaaaaaaaaaaaaaaaaaaaaaa2", "profile"),
    ("web", "aaaaaaaaaaaaaaaaaaaaaaa3", "profile"),
    ("events", "aaaaaaaaaaaaaaaaaaaaaaa4", "event"),
];

/// SplitMix64: small, fast and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let i = self.below(words.len() as u64) as usize;
        words.get(i).copied().unwrap_or_default()
    }

    fn time(&mut self) -> String {
        let second = YEAR + self.below(300 * 86_400);
        let time = chrono::DateTime::from_timestamp(second as i64, 0).unwrap_or_default();
        format!(
            "{}.{:03}Z",
            time.format("%Y-%m-%dT%H:%M:%S"),
            self.below(1000)
        )
    }
}

const FIRST: [&str; 12] = [
    "Anna",
    "Boris",
    "Chloé",
    "Dmitri",
    "Elif",
    "Farid",
    "Grace",
    "Håkon",
    "Inès",
    "Jürgen",
    "Katarzyna",
    "Łukasz",
];
const LAST: [&str; 12] = [
    "Andersson",
    "Brown",
    "Çelik",
    "Dubois",
    "Evans",
    "Fontaine",
    "García",
    "Hansen",
    "Ito",
    "Johansson",
    "Kowalska",
    "Müller",
];
const CITIES: [&str; 8] = [
    "Köln",
    "Paris",
    "San José",
    "Leeds",
    "Łódź",
    "Zürich",
    "Málaga",
    "Oslo",
];
const BROWSERS: [&str; 5] = ["Firefox", "Chrome", "Safari", "Edge", "Opera"];
const EVENT_TYPES: [&str; 4] = [
    "web.webpagedetails.pageViews",
    "commerce.productViews",
    "commerce.purchases",
    "commerce.checkouts",
];

/// Writes a source folder with the people of some numbers and about ten events each. Another seed has other records
/// of the same people, as a night's delivery has.
///
/// # Errors
/// The folder can't be written.
pub fn write_workload(folder: &Path, people: Range<u64>, seed: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for (name, id, class) in DATASETS {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let description = format!(
            "{{\"id\": \"{id}\", \"name\": \"{name}\", \"class\": \"{class}\", \
             \"ingestedAtField\": \"ingestedAt\"}}\n"
        );
        fs::write(folder.join("dataset.json"), description)?;
        let file = File::create(folder.join("records.ndjson"))?;
        files.push(BufWriter::with_capacity(1 << 20, file));
    }
    let [crm, loyalty, web, events] = files.as_mut_slice() else {
        return Ok(());
    };
    let mut random = Random(seed);
    for n in people {
        // Five people in a hundred have events alone.
        let known = random.below(100) < 95;
        if known {
            write_crm(crm, &mut random, n)?;
        }
        if known && random.below(3) == 0 {
            write_loyalty(loyalty, &mut random, n)?;
        }
        if known && random.below(4) == 0 {
            write_web(web, &mut random, n)?;
        }
        for _ in 0..random.below(20) {
            write_event(events, &mut random, n)?;
        }
    }
    files.iter_mut().try_for_each(Write::flush)
}

fn identity(n: u64) -> String {
    format!(
        "\"identityMap\":{{\"ECID\":[{{\"id\":\"{n:038}\",\"authenticatedState\":\"ambiguous\",\"primary\":true}}],\
         \"Email\":[{{\"id\":\"person{n}@example.com\",\"authenticatedState\":\"authenticated\",\"primary\":false}}]}}"
    )
}

fn memberships(random: &mut Random) -> String {
    let mut namespaces = [Vec::new(), Vec::new()];
    let mut taken = Vec::new();
    for _ in 0..=random.below(14) {
        // The square of a uniform number favours the first segments.
        let skewed = random.below(SEGMENTS) * random.below(SEGMENTS) / SEGMENTS;
        if taken.contains(&skewed) {
            continue;
        }
        taken.push(skewed);
        let status = random.pick(&["realized", "realized", "existing", "exited"]);
        let entry = format!(
            "\"segment-{skewed:04}-8b1f2c3d\":{{\"lastQualificationTime\":\"{}\",\"status\":\"{status}\"}}",
            random.time()
        );
        if let Some(namespace) = namespaces.get_mut((skewed % 2) as usize) {
            namespace.push(entry);
        }
    }
    let [ups, aam] = namespaces.map(|entries| entries.join(","));
    format!("\"segmentMembership\":{{\"ups\":{{{ups}}},\"AAM\":{{{aam}}}}}")
}

fn write_crm(out: &mut impl Write, random: &mut Random, n: u64) -> io::Result<()> {
    let (first, last, city) = (
        random.pick(&FIRST),
        random.pick(&LAST),
        random.pick(&CITIES),
    );
    writeln!(
        out,
        "{{\"_id\":\"crm-{n}\",\"ingestedAt\":\"{}\",{},\
         \"identities\":[{{\"id\":\"person{n}@example.com\",\"namespace\":{{\"code\":\"Email\"}}}}],\
         \"person\":{{\"name\":{{\"firstName\":\"{first}\",\"lastName\":\"{last}\",\"fullName\":\"{first} {last}\"}},\
         \"gender\":\"{}\",\"birthYear\":{}}},\
         \"personalEmail\":{{\"address\":\"person{n}@example.com\",\"primary\":true,\"status\":\"active\"}},\
         \"homeAddress\":{{\"street1\":\"{} Long Street\",\"city\":\"{city}\",\"postalCode\":\"{:05}\",\"countryCode\":\"{}\"}},\
         \"mobilePhone\":{{\"number\":\"+49 221 {:07}\"}},\
         \"consents\":{{\"marketing\":{{\"email\":{{\"val\":\"{}\"}},\"sms\":{{\"val\":\"{}\"}}}}}},\
         \"interests\":[\"{}\",\"{}\"],\"lifetimeValue\":{}.{:02},{}}}",
        random.time(),
        identity(n),
        random.pick(&["female", "male", "not_specified"]),
        1940 + random.below(65),
        random.below(300),
        random.below(100_000),
        random.pick(&["DE", "FR", "US", "GB", "PL"]),
        random.below(10_000_000),
        random.pick(&["y", "n"]),
        random.pick(&["y", "n"]),
        random.pick(&["running", "cycling", "chess"]),
        random.pick(&["cooking", "travel", "music"]),
        random.below(5000),
        random.below(100),
        memberships(random),
    )
}

fn write_loyalty(out: &mut impl Write, random: &mut Random, n: u64) -> io::Result<()> {
    writeln!(
        out,
        "{{\"_id\":\"loyalty-{n}\",\"ingestedAt\":\"{}\",{},\
         \"loyalty\":{{\"points\":{},\"tier\":\"{}\",\"program\":\"Stars and more\",\"memberId\":\"L{:09}\",\
         \"joinDate\":\"{}\",\"upgradeDate\":\"{}\"}},\
         \"personalEmail\":{{\"address\":\"person{n}@example.com\",\"primary\":true}},\
         \"person\":{{\"name\":{{\"firstName\":\"{}\",\"lastName\":\"{}\"}}}},\
         \"preferredStore\":{{\"id\":\"store-{}\",\"city\":\"{}\"}},{}}}",
        random.time(),
        identity(n),
        random.below(100_000),
        random.pick(&["bronze", "silver", "gold"]),
        random.below(1_000_000_000),
        random.time(),
        random.time(),
        random.pick(&FIRST),
        random.pick(&LAST),
        random.below(400),
        random.pick(&CITIES),
        memberships(random),
    )
}

fn write_web(out: &mut impl Write, random: &mut Random, n: u64) -> io::Result<()> {
    writeln!(
        out,
        "{{\"_id\":\"web-{n}\",\"ingestedAt\":\"{}\",{},\
         \"web\":{{\"firstVisit\":\"{}\",\"lastVisit\":\"{}\",\"visits\":{},\"landingPage\":\"https://www.example.com/landing/{}\",\
         \"browser\":\"{}\",\"language\":\"{}\"}},\
         \"personalEmail\":{{\"address\":\"person{n}@example.com\"}},\
         \"propensity\":{{\"churn\":0.{:04},\"purchase\":0.{:04}}},{}}}",
        random.time(),
        identity(n),
        random.time(),
        random.time(),
        random.below(500),
        random.below(1000),
        random.pick(&BROWSERS),
        random.pick(&["de-DE", "en-US", "fr-FR"]),
        random.below(10_000),
        random.below(10_000),
        memberships(random),
    )
}

fn write_event(out: &mut impl Write, random: &mut Random, n: u64) -> io::Result<()> {
    writeln!(
        out,
        "{{\"_id\":\"{:016x}\",\"timestamp\":\"{}\",\"ingestedAt\":\"{}\",\"eventType\":\"{}\",\
         \"identityMap\":{{\"ECID\":[{{\"id\":\"{n:038}\",\"authenticatedState\":\"ambiguous\",\"primary\":true}}]}},\
         \"environment\":{{\"browserDetails\":{{\"name\":\"{}\",\"version\":\"{}.0\",\"acceptLanguage\":\"{}\"}},\
         \"ipV4\":\"198.51.100.{}\"}},\
         \"web\":{{\"webPageDetails\":{{\"name\":\"page-{}\",\"URL\":\"https://www.example.com/category/{}/product/{}\"}}}},\
         \"commerce\":{{\"order\":{{\"priceTotal\":{}.{:02},\"currencyCode\":\"EUR\"}},\"productViews\":{{\"value\":{}}}}}}}",
        random.next(),
        random.time(),
        random.time(),
        random.pick(&EVENT_TYPES),
        random.pick(&BROWSERS),
        60 + random.below(60),
        random.pick(&["de-DE", "en-US", "fr-FR"]),
        random.below(256),
        random.below(500),
        random.below(40),
        random.below(20_000),
        random.below(400),
        random.below(100),
        random.below(5),
    )
}
