//! Who asks for something, and why: for the trail that the queue keeps.

use caur_core::queue::Asker;

/// Whoever runs this program, with a reason.
#[derive(Debug, Clone)]
pub struct Requester {
    by: String,
    why: String,
}

impl Requester {
    /// The CI pipeline that this runs in, else the account on this machine; `why` may be empty.
    pub fn new(why: &str) -> Self {
        Self {
            by: name(|variable| std::env::var(variable).ok()),
            why: why.to_owned(),
        }
    }

    /// As the queue takes it.
    pub fn asker(&self) -> Asker<'_> {
        Asker {
            by: &self.by,
            why: &self.why,
        }
    }
}

fn name(variable: impl Fn(&str) -> Option<String>) -> String {
    let stated = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(pipeline) = stated("CI_PIPELINE_ID").or_else(|| stated("GITHUB_RUN_ID")) {
        return format!("ci pipeline {pipeline}");
    }
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(stated)
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_counts_before_an_account() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("CI_PIPELINE_ID", "7"), ("USER", "runner")], "ci pipeline 7"),
            (&[("GITHUB_RUN_ID", "8"), ("USER", "runner")], "ci pipeline 8"),
            (&[("SUDO_USER", "ada"), ("USER", "root")], "ada"),
            (&[("CI_PIPELINE_ID", ""), ("LOGNAME", "bob")], "bob"),
        ];
        for (environment, expected) in cases {
            let found = name(|wanted| {
                let entry = environment.iter().find(|(name, _)| *name == wanted);
                entry.map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(found, expected);
        }
        assert!(name(|_| None).starts_with("uid "));
    }
}
