//! First use, encrypted keys and agents, against a real OpenSSH server.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::*;
use crate::link::{LinkState, RedisAddress, RedisLink};
use crate::testing::{Child, RedisServer, Sshd, SshdOptions, make_key};

/// A person with answers, who notes what they were asked.
#[derive(Default)]
pub(super) struct Person {
    pub trusts: bool,
    pub passphrases: Mutex<VecDeque<Option<&'static str>>>,
    pub hosts: Mutex<Vec<HostQuestion>>,
    pub keys: Mutex<Vec<PassphraseQuestion>>,
}

impl Person {
    pub fn who_trusts() -> Arc<Self> {
        Arc::new(Self {
            trusts: true,
            ..Self::default()
        })
    }

    pub fn who_says(passphrases: &[Option<&'static str>]) -> Arc<Self> {
        Arc::new(Self {
            passphrases: Mutex::new(passphrases.iter().copied().collect()),
            ..Self::default()
        })
    }

    pub fn hosts(&self) -> Vec<HostQuestion> {
        self.hosts.lock().unwrap().clone()
    }

    /// For each question about a key: whether the answer before was wrong.
    fn keys(&self) -> Vec<bool> {
        self.keys.lock().unwrap().iter().map(|q| q.wrong_before).collect()
    }
}

impl SshQuestions for Person {
    fn trust_host(&self, question: HostQuestion) -> BoxFuture<'_, bool> {
        self.hosts.lock().unwrap().push(question);
        async { self.trusts }.boxed()
    }

    fn passphrase(&self, question: PassphraseQuestion) -> BoxFuture<'_, Option<SecretString>> {
        self.keys.lock().unwrap().push(question);
        let answer = self.passphrases.lock().unwrap().pop_front();
        async move {
            answer
                .expect("no more questions were expected")
                .map(SecretString::from)
        }
        .boxed()
    }
}

/// `target` with `person` to ask.
pub(super) fn asking(target: SshTarget, person: &Arc<Person>) -> SshTarget {
    SshTarget {
        questions: Some(Questions::new(person.clone())),
        ..target
    }
}

pub(super) fn lock(key: &Path, passphrase: &str) {
    let locked = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", passphrase, "-f"])
        .arg(key)
        .stdout(Stdio::null())
        .status();
    assert!(locked.unwrap().success());
}

fn agent(directory: &Path, keys: &[PathBuf]) -> (Child, PathBuf) {
    let socket = directory.join("agent");
    let mut command = Command::new("ssh-agent");
    command.arg("-D").arg("-a").arg(&socket);
    let mut agent = Child::start(&mut command, "openssh-client", &directory.join("agent.log"));
    assert!(agent.wait_ready(|| socket.exists()));
    for key in keys {
        let added = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &socket)
            .stderr(Stdio::null())
            .status();
        assert!(added.unwrap().success());
    }
    (agent, socket)
}

async fn refused(target: &SshTarget) -> SshError {
    match Session::connect(target).await {
        Ok(_) => panic!("the login to {target} was expected to fail"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_yes_on_first_use_is_recorded_and_holds() {
    let sshd = Sshd::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".ssh/known_hosts");
    let target = SshTarget {
        host_keys: HostKeyPolicy::KnownHosts(vec![file.clone()]),
        ..sshd.target()
    };
    let person = Person::who_trusts();
    Session::connect(&asking(target.clone(), &person)).await.unwrap();
    let asked = person.hosts();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, target.to_string());
    assert_eq!(asked[0].host, format!("[127.0.0.1]:{}", sshd.port()));
    assert_eq!(asked[0].key_type, "ssh-ed25519");
    assert_eq!(asked[0].file, file);
    let keygen = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(sshd.client_key().with_file_name("host_key.pub"))
        .output();
    let shown = String::from_utf8(keygen.unwrap().stdout).unwrap();
    assert!(shown.contains(&asked[0].fingerprint_sha256), "{shown} {asked:?}");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("[127.0.0.1]:{} {}\n", sshd.port(), sshd.host_key())
    );

    let other = Person::who_trusts();
    Session::connect(&asking(target.clone(), &other)).await.unwrap();
    assert!(other.hosts().is_empty(), "it is recorded");
    // So is it for ssh itself and for daemons.
    Session::connect(&target).await.unwrap();
}

#[tokio::test]
async fn a_no_on_first_use_records_nothing_and_is_not_asked_again_until_a_person_wants() {
    let redis = RedisServer::start();
    let sshd = Sshd::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("known_hosts");
    let person = Arc::new(Person::default());
    let target = SshTarget {
        host_keys: HostKeyPolicy::KnownHosts(vec![file.clone()]),
        ..asking(sshd.target(), &person)
    };
    let connect = TunnelConnect::new(target, RedisAddress::Unix(redis.socket()), redis.auth());
    let link = RedisLink::new(connect);
    for _ in 0..3 {
        let error = link.connection().await.unwrap_err();
        assert!(
            !error.is_transient() && error.to_string().contains("is unknown"),
            "{error}"
        );
    }
    assert!(matches!(&*link.state().borrow(), LinkState::Failed { .. }));
    assert!(!file.exists());
    assert_eq!(person.hosts().len(), 1);
    link.reconnect_now();
    link.connection().await.unwrap_err();
    assert_eq!(person.hosts().len(), 2);
    assert!(!sshd.log().contains("Accepted publickey"));
}

#[tokio::test]
async fn nobody_is_asked_about_a_host_of_which_something_is_recorded() {
    let sshd = Sshd::start();
    let keys = tempfile::tempdir().unwrap();
    let host = format!("[127.0.0.1]:{}", sshd.port());
    let public = |kind: &str| {
        let path = keys.path().join(kind);
        if !path.exists() {
            make_key(&path, kind);
        }
        std::fs::read_to_string(path.with_extension("pub")).unwrap()
    };
    let file = keys.path().join("known_hosts");
    for (recorded, expected) in [
        (format!("{host} {}", public("ed25519")), "HAS CHANGED"),
        (format!("{host} {}", public("rsa")), "HAS CHANGED"),
        // A kind that we cannot read is a record all the same.
        (format!("{host} sk-new@example.org AAAAC3Nza"), "is unknown"),
        (format!("@revoked * {}\n", sshd.host_key()), "IS REVOKED"),
    ] {
        std::fs::write(&file, &recorded).unwrap();
        let person = Person::who_trusts();
        let target = SshTarget {
            host_keys: HostKeyPolicy::KnownHosts(vec![file.clone()]),
            ..asking(sshd.target(), &person)
        };
        let error = refused(&target).await;
        assert!(error.to_string().contains(expected), "{error}");
        assert!(person.hosts().is_empty(), "{recorded}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), recorded);
    }
    // Lines about others are no reason not to ask.
    std::fs::write(
        &file,
        format!("example.org {}@revoked * {}", public("ecdsa"), public("ecdsa")),
    )
    .unwrap();
    let person = Person::who_trusts();
    let target = SshTarget {
        host_keys: HostKeyPolicy::KnownHosts(vec![file.clone()]),
        ..asking(sshd.target(), &person)
    };
    Session::connect(&target).await.unwrap();
    assert_eq!(person.hosts().len(), 1);
}

#[tokio::test]
async fn an_encrypted_key_is_opened_once() {
    let redis = RedisServer::start();
    let sshd = Sshd::start();
    lock(&sshd.client_key(), "open sesame");
    for answers in [
        vec![Some("open sesame")],
        vec![Some("wrong"), Some("open sesame")],
        vec![Some(""), Some("wrong"), Some("open sesame")],
    ] {
        let person = Person::who_says(&answers);
        let target = asking(sshd.target(), &person);
        let connect = TunnelConnect::new(target, RedisAddress::Unix(redis.socket()), redis.auth());
        let link = RedisLink::new(connect);
        link.connection().await.unwrap();
        let expected: Vec<bool> = (0..answers.len()).map(|index| index > 0).collect();
        assert_eq!(person.keys(), expected);
        // Neither a second session nor a reconnect asks again.
        let mut state = link.state();
        sshd.cut_sessions();
        state
            .wait_for(|state| matches!(state, LinkState::Reconnecting { .. }))
            .await
            .unwrap();
        link.connection().await.unwrap();
        assert_eq!(person.keys(), expected);
    }
}

#[tokio::test]
async fn a_passphrase_that_is_not_given_leaves_the_key_closed() {
    let sshd = Sshd::start();
    lock(&sshd.client_key(), "open sesame");
    let person = Person::who_says(&[None, Some("a"), Some("b"), Some("c"), Some("open sesame")]);
    let target = asking(sshd.target(), &person);
    for _ in 0..2 {
        let error = refused(&target).await;
        assert!(
            matches!(error, SshError::NoKey { .. }) && error.is_permanent(),
            "{error}"
        );
        assert!(error.to_string().contains("no passphrase was given"), "{error}");
    }
    let questions = target.questions.as_ref().unwrap();
    questions.forget_refusals();
    for _ in 0..2 {
        let error = refused(&target).await;
        assert!(
            error
                .to_string()
                .contains("no passphrase that was given opens it"),
            "{error}"
        );
    }
    questions.forget_refusals();
    Session::connect(&target).await.unwrap();
    assert_eq!(person.keys(), [false, false, true, true, false]);
}

#[tokio::test]
async fn only_keys_that_the_server_takes_are_asked_for() {
    let sshd = Sshd::start();
    lock(&sshd.client_key(), "open sesame");
    let directory = tempfile::tempdir().unwrap();
    let stranger = directory.path().join("stranger");
    make_key(&stranger, "ed25519");
    lock(&stranger, "never mind");
    let person = Person::who_says(&[Some("open sesame")]);
    let mut target = asking(sshd.target(), &person);
    target.keys.insert(0, stranger.clone());
    Session::connect(&target).await.unwrap();
    assert_eq!(person.keys.lock().unwrap()[0].key, sshd.client_key());

    target.keys.truncate(1);
    let error = refused(&target).await;
    assert!(matches!(error, SshError::AuthRefused { .. }), "{error}");
    assert!(
        error.to_string().contains(&stranger.display().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn an_agent_that_has_the_key_saves_the_question() {
    let sshd = Sshd::start();
    let directory = tempfile::tempdir().unwrap();
    let (_agent, socket) = agent(directory.path(), &[sshd.client_key()]);
    lock(&sshd.client_key(), "open sesame");
    let person = Arc::new(Person::default());
    let target = SshTarget {
        agent: Some(socket),
        ..asking(sshd.target(), &person)
    };
    Session::connect(&target).await.unwrap();
}

#[tokio::test]
async fn an_agent_with_many_keys_offers_those_that_are_meant() {
    let sshd = Sshd::start_with(&SshdOptions {
        config: vec!["MaxAuthTries 2".into()],
        ..SshdOptions::default()
    });
    let directory = tempfile::tempdir().unwrap();
    let mut keys: Vec<PathBuf> = (0..4).map(|n| directory.path().join(format!("key{n}"))).collect();
    for key in &keys {
        make_key(key, "ed25519");
    }
    keys.push(sshd.client_key());
    let (_agent, socket) = agent(directory.path(), &keys);
    // The agent has the private half; only the public one is left here.
    std::fs::remove_file(sshd.client_key()).unwrap();
    let meant = SshTarget {
        agent: Some(socket.clone()),
        ..sshd.target()
    };
    for identities_only in [true, false] {
        let target = SshTarget {
            identities_only,
            ..meant.clone()
        };
        Session::connect(&target).await.unwrap();
    }
    let other = SshTarget {
        keys: Vec::new(),
        ..meant
    };
    let error = refused(&other).await;
    assert!(matches!(error, SshError::AuthRefused { .. }), "{error}");
    let only = SshTarget {
        identities_only: true,
        ..other
    };
    let error = refused(&only).await;
    assert!(error.to_string().contains("IdentitiesOnly"), "{error}");
}

/// A person who thinks until the server has nobody left to wait for.
struct Slow {
    sshd: Arc<Sshd>,
}

impl Slow {
    async fn until_alone(&self) {
        while self.sshd.session_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

impl SshQuestions for Slow {
    fn trust_host(&self, _question: HostQuestion) -> BoxFuture<'_, bool> {
        self.until_alone().map(|()| true).boxed()
    }

    fn passphrase(&self, _question: PassphraseQuestion) -> BoxFuture<'_, Option<SecretString>> {
        self.until_alone().map(|()| Some("open sesame".into())).boxed()
    }
}

#[tokio::test]
async fn nothing_is_connected_while_a_person_thinks() {
    let sshd = Arc::new(Sshd::start_with(&SshdOptions {
        config: vec!["LoginGraceTime 1".into()],
        ..SshdOptions::default()
    }));
    lock(&sshd.client_key(), "open sesame");
    let home = tempfile::tempdir().unwrap();
    let target = SshTarget {
        host_keys: HostKeyPolicy::KnownHosts(vec![home.path().join("known_hosts")]),
        questions: Some(Questions::new(Arc::new(Slow { sshd: sshd.clone() }))),
        ..sshd.target()
    };
    Session::connect(&target).await.unwrap();
}
