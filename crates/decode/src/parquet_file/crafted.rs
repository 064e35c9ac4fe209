//! Files of some hundred bytes that claim more than they hold: what no writer makes, and a sender may.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::write::GzEncoder;

use super::tests::{chunks, rows_of};

/// Thrift's compact protocol, written field by field: each begins with how much its number is larger than that
/// of the one before it.
#[derive(Default)]
struct Thrift(Vec<u8>);

impl Thrift {
    fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn i32(&mut self, delta: u8, value: u64) -> &mut Self {
        self.0.push(delta << 4 | 5);
        self.varint(value << 1)
    }

    fn i64(&mut self, delta: u8, value: u64) -> &mut Self {
        self.0.push(delta << 4 | 6);
        self.varint(value << 1)
    }

    fn text(&mut self, delta: u8, text: &str) -> &mut Self {
        self.0.push(delta << 4 | 8);
        self.item(text)
    }

    fn item(&mut self, text: &str) -> &mut Self {
        self.varint(text.len() as u64).0.extend(text.as_bytes());
        self
    }

    fn list(&mut self, delta: u8, items: u8, ty: u8) -> &mut Self {
        self.0.extend([delta << 4 | 9, items << 4 | ty]);
        self
    }

    fn begin(&mut self, delta: u8) -> &mut Self {
        self.0.push(delta << 4 | 12);
        self
    }

    fn end(&mut self) -> &mut Self {
        self.0.push(0);
        self
    }
}

/// A page of lists of nulls: its levels are runs, which take the same room however long they are.
struct Page {
    /// How many values each of its records has.
    records: Vec<u64>,
}

impl Page {
    fn values(&self) -> u64 {
        self.records.iter().sum()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut repetitions = Thrift::default();
        for record in &self.records {
            repetitions.varint(1 << 1).0.push(0);
            if *record > 1 {
                repetitions.varint((record - 1) << 1).0.push(1);
            }
        }
        let mut definitions = Thrift::default();
        definitions.varint(self.values() << 1).0.push(2);
        let mut body = Vec::new();
        for levels in [repetitions.0, definitions.0] {
            body.extend((levels.len() as u32).to_le_bytes());
            body.extend(levels);
        }
        page_of(&body, body.len(), self.values())
    }
}

/// A page of these bytes, with what its header claims.
fn page_of(body: &[u8], unpacked: usize, values: u64) -> Vec<u8> {
    let mut page = Thrift::default();
    page.i32(1, 0)
        .i32(1, unpacked as u64)
        .i32(1, body.len() as u64);
    // PLAIN values; RLE levels.
    page.begin(2)
        .i32(1, values)
        .i32(1, 0)
        .i32(1, 3)
        .i32(1, 3)
        .end();
    page.end().0.extend(body);
    page.0
}

fn file(pages: &[Page], rows: u64, values: u64) -> Bytes {
    let pages: Vec<u8> = pages.iter().flat_map(Page::bytes).collect();
    file_of(&pages, 0, rows, values)
}

/// A file of one column `l`, of lists, with what its footer claims.
fn file_of(pages: &[u8], codec: u64, rows: u64, values: u64) -> Bytes {
    let mut file = b"PAR1".to_vec();
    file.extend(pages);
    let size = pages.len() as u64;
    let mut footer = Thrift::default();
    footer.i32(1, 1).list(1, 4, 12);
    footer.text(4, "m").i32(1, 1).end();
    footer.i32(3, 1).text(1, "l").i32(1, 1).i32(1, 3).end();
    footer.i32(3, 2).text(1, "list").i32(1, 1).end();
    footer.i32(1, 6).i32(2, 1).text(1, "element").end();
    footer.i64(1, rows).list(1, 1, 12);
    footer.list(1, 1, 12).i64(2, 4).begin(1).i32(1, 6);
    footer.list(1, 1, 5).varint(0);
    footer.list(1, 3, 8).item("l").item("list").item("element");
    footer
        .i32(1, codec)
        .i64(1, values)
        .i64(1, size)
        .i64(1, size);
    footer.i64(2, 4).end().end();
    footer.i64(1, size).i64(1, rows).end().end();
    file.extend(&footer.0);
    file.extend((footer.0.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file.into()
}

fn problem(file: Bytes) -> String {
    chunks(file).err().expect("an error").to_string()
}

#[test]
fn a_page_has_no_more_values_than_the_footer_has_for_it() {
    let page = |values| Page {
        records: vec![values, 1],
    };
    let honest = file(&[page(5), page(1)], 4, 8);
    assert_eq!(rows_of(&chunks(honest).expect("chunks")), [4]);
    assert_eq!(
        problem(file(&[page(2), page(1 << 20)], 4, 8)),
        "a.parquet: not readable as Parquet: column l.list.element has a page of 1048577 values where \
         the footer has 5 left"
    );
}

#[test]
fn records_of_lists_that_unfold_far_are_refused_however_short_their_pages_are() {
    const MANY: u64 = 6_000_000;
    let page = |records: Vec<u64>| Page { records };
    // Six million items are within what a batch may take.
    let one = file(&[page(vec![MANY, 1])], 2, MANY + 1);
    assert_eq!(rows_of(&chunks(one).expect("chunks")), [1, 1]);
    // The footer spreads them over many records, so that all are read at once.
    let (rows, values) = (1 << 40, 4 * MANY);
    let told = "the lists and maps of records that are read at once unfold to 366 MiB";
    for pages in [
        vec![page(vec![MANY, MANY])],
        vec![page(vec![MANY]), page(vec![MANY])],
    ] {
        let problem = problem(file(&pages, rows, values));
        assert!(problem.contains(told), "{problem}");
    }
    // Each is read alone, when the page behind it has shown that it ends.
    let half = MANY / 2;
    let pages: Vec<Page> = (0..4).map(|_| page(vec![half])).collect();
    let apart = file(&pages, 4, 4 * half);
    assert_eq!(rows_of(&chunks(apart).expect("chunks")), [1; 4]);
}

#[test]
fn a_file_has_the_rows_that_its_footer_has() {
    let page = || Page {
        records: vec![1, 2],
    };
    let whole = chunks(file(&[page()], 2, 3));
    assert_eq!(rows_of(&whole.expect("chunks")), [2]);
    for rows in [0, 1, 3] {
        assert_eq!(
            problem(file(&[page()], rows, 3)),
            format!(
                "a.parquet: not readable as Parquet: its pages have 2 rows, its row groups should have {rows}; \
                 is it whole?"
            )
        );
    }
}

#[test]
fn a_packed_page_has_no_more_bytes_than_its_header_says() {
    // What hardly packs, so that the page is large enough to be looked at.
    let noise = (0..100_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes());
    let body: Vec<u8> = noise.collect();
    let mut gzip = GzEncoder::new(Vec::new(), Level::fast());
    gzip.write_all(&body).expect("memory");
    let packed = gzip.finish().expect("memory");
    let claims = page_of(&packed, 399_999, 1);
    assert_eq!(
        problem(file_of(&claims, 2, 1, 1)),
        "a.parquet: not readable as Parquet: column l.list.element has a page that unfolds to more than its \
         header says, which is 399999 bytes"
    );
}
