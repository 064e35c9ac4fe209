//! AWS's files with profiles: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a profile may have that leads to credentials which only AWS's own tools get.
const INDIRECT: [&str; 5] = [
    "sso_session",
    "sso_start_url",
    "role_arn",
    "credential_process",
    "login_session",
];

/// The settings of the environment, and from the profile what it lacks.
///
/// # Errors
/// A profile that is named and not there, or that has no keys of its own.
pub fn settings(environment: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    let of = |name: &str| {
        let found = environment.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let file = |variable: &str, name: &str| {
        let path = of(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from);
        read(&path)
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
    let config = file("AWS_CONFIG_FILE", "config")?;
    let named = of("AWS_PROFILE");
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let in_config = match &*name {
        "default" => config.get("default"),
        name => config.get(&format!("profile {name}")),
    };
    let parts: Vec<_> = [credentials.get(&name), in_config]
        .into_iter()
        .flatten()
        .collect();
    if let (Some(named), true) = (named, parts.is_empty()) {
        return Err(format!(
            "AWS_PROFILE={named}: neither AWS's credentials file nor its config has it"
        ));
    }
    let in_profile = |key: &str| parts.iter().find_map(|part| part.get(key));

    let mut settings = environment.clone();
    let mut take = |key: &str, variable: &str, others: &[&str]| {
        if let Some(value) = in_profile(key)
            && of(variable).is_none()
            && others.iter().all(|other| of(other).is_none())
        {
            settings.push((variable.to_owned(), value.clone()));
        }
    };
    take("region", "AWS_REGION", &["AWS_DEFAULT_REGION"]);
    take(
        "endpoint_url",
        "AWS_ENDPOINT_URL",
        &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"],
    );
    let has_keys = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"];
    if has_keys.iter().all(|name| of(name).is_none()) {
        let keys = [
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
        ];
        if in_profile("aws_access_key_id").is_some() {
            for key in keys {
                take(key, &key.to_ascii_uppercase(), &[]);
            }
        } else if let Some(how) = INDIRECT.iter().find(|how| in_profile(how).is_some()) {
            return Err(format!(
                "AWS's profile {name:?} gets its keys by {how}, which AWS's own tools know: \
                 eval \"$(aws configure export-credentials --format env)\" gives them to this program"
            ));
        }
    }
    // An endpoint without TLS was asked for by whoever wrote it.
    let is_plain = |(name, value): &(String, String)| {
        name.starts_with("AWS_ENDPOINT") && value.starts_with("http://")
    };
    if settings.iter().any(is_plain) {
        settings.push(("AWS_ALLOW_HTTP".to_owned(), "true".to_owned()));
    }
    Ok(settings)
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

fn read(path: &Path) -> Result<Sections, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(sections(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Sections::new()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// The sections of such a file. Lines that are indented belong to the setting above them, and none of ours has such.
fn sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut section = String::new();
    for line in text.lines() {
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
        {
            let words: Vec<&str> = name.split_whitespace().collect();
            section = words.join(" ");
            sections.entry(section.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=') {
            let value = value.split(" #").next().unwrap_or_default().trim();
            let settings = sections.entry(section.clone()).or_default();
            settings.insert(key.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: [&str; 2], more: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut environment = Vec::new();
        let variables = ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"];
        for (variable, text) in variables.into_iter().zip(files) {
            let path = folder.path().join(variable);
            std::fs::write(&path, text).expect("a file");
            environment.push((variable.to_owned(), path.display().to_string()));
        }
        environment.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let given = environment.len();
        settings(environment).map(|all| all[given..].to_vec())
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    const CREDENTIALS: &str = "# ours\n[default]\naws_access_key_id = A\naws_secret_access_key=S\n\n[ci]\nAWS_ACCESS_KEY_ID=B\n";
    const CONFIG: &str = "[default]\nregion = eu-west-1 # Dublin\ns3 =\n  endpoint_url = http://nested\n\n[profile ci]\nendpoint_url = http://localhost:9000\n\n[profile people]\nsso_session = x\n";

    #[test]
    fn a_profile_gives_what_the_environment_lacks() {
        assert_eq!(
            with([CREDENTIALS, CONFIG], &[]),
            Ok(owned(&[
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "A"),
                ("AWS_SECRET_ACCESS_KEY", "S")
            ]))
        );
        let environment = [
            ("AWS_ACCESS_KEY_ID", "E"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ];
        assert_eq!(with([CREDENTIALS, CONFIG], &environment), Ok(Vec::new()));
        assert_eq!(
            with([CREDENTIALS, CONFIG], &[("AWS_PROFILE", "ci")]),
            Ok(owned(&[
                ("AWS_ENDPOINT_URL", "http://localhost:9000"),
                ("AWS_ACCESS_KEY_ID", "B"),
                ("AWS_ALLOW_HTTP", "true")
            ]))
        );
    }

    #[test]
    fn a_profile_without_keys_of_its_own_is_refused_by_name() {
        for (profile, expected) in [("people", "sso_session"), ("nobody", "neither")] {
            let refused =
                with([CREDENTIALS, CONFIG], &[("AWS_PROFILE", profile)]).expect_err(profile);
            assert!(
                refused.contains(profile) && refused.contains(expected),
                "{refused}"
            );
        }
    }
}
