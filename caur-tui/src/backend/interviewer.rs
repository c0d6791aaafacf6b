//! Takes what an SSH connection asks to the person at the console, and the answers back.

use std::collections::HashMap;
use std::sync::Arc;

use caur_core::ssh::{HostQuestion, PassphraseQuestion, SshQuestions};
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

use super::{Backend, Reports, Wishes};
use crate::msg::{BackendMsg, Request};
use crate::question::{Answer, Question};

/// Who is asked by the connection.
pub struct Interviewer {
    questions: mpsc::UnboundedSender<Asked>,
}

/// A question and where its answer is waited for.
type Asked = (Question, oneshot::Sender<Answer>);

/// The other end: questions to be shown, and answers to be given.
pub struct Interview {
    questions: mpsc::UnboundedReceiver<Asked>,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    last: u64,
}

impl Interviewer {
    /// Whom to ask, and what comes of it.
    #[expect(
        clippy::new_ret_no_self,
        reason = "both ends are made at once, as channels are"
    )]
    pub fn new() -> (Arc<dyn SshQuestions>, Interview) {
        let (questions, asked) = mpsc::unbounded_channel();
        let interview = Interview {
            questions: asked,
            waiting: HashMap::new(),
            last: 0,
        };
        (Arc::new(Self { questions }), interview)
    }

    /// None when nobody is there to answer any more.
    async fn ask(&self, question: Question) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.questions.send((question, answer)).ok()?;
        answered.await.ok()
    }
}

impl SshQuestions for Interviewer {
    fn trust_host(&self, question: HostQuestion) -> BoxFuture<'_, bool> {
        let question = Question::TrustHost {
            host: question.host,
            key_type: question.key_type,
            fingerprint: question.fingerprint_sha256,
            recorded_in: question.file.display().to_string(),
        };
        let ask = self.ask(question);
        async move { matches!(ask.await, Some(Answer::Trust(true))) }.boxed()
    }

    fn passphrase(&self, question: PassphraseQuestion) -> BoxFuture<'_, Option<SecretString>> {
        let question = Question::Passphrase {
            key: question.key.display().to_string(),
            wrong_before: question.wrong_before,
        };
        let ask = self.ask(question);
        async move {
            match ask.await {
                Some(Answer::Passphrase(passphrase)) => passphrase,
                Some(Answer::Trust(_)) | None => None,
            }
        }
        .boxed()
    }
}

impl Interview {
    /// The next question and the number that its answer bears. Never ends when no more questions can come. Nothing is
    /// lost when it is dropped.
    pub async fn next(&mut self) -> (u64, Question) {
        let Some((question, answer)) = self.questions.recv().await else {
            return std::future::pending().await;
        };
        // Whoever gave up waiting wants no answer any more.
        self.waiting.retain(|_, waiting| !waiting.is_closed());
        self.last += 1;
        self.waiting.insert(self.last, answer);
        (self.last, question)
    }

    /// Passes an answer on. One that nobody waits for any more is dropped.
    pub fn answer(&mut self, number: u64, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&number) {
            // Whoever gave up waiting meanwhile wants no answer any more.
            let _void = waiting.send(answer);
        }
    }
}

/// A backend whose connection may ask.
pub struct Interviewed<B> {
    backend: B,
    interview: Interview,
}

impl<B: Backend> Interviewed<B> {
    /// `backend`, whose connection asks through the other end of `interview`.
    pub fn new(backend: B, interview: Interview) -> Self {
        Self { backend, interview }
    }
}

impl<B: Backend> Backend for Interviewed<B> {
    async fn run(mut self, wishes: Wishes, reports: Reports) {
        let (pass_on, requests) = mpsc::unbounded_channel();
        let Wishes {
            interest,
            requests: mut asked,
        } = wishes;
        let backend = self.backend.run(Wishes { interest, requests }, reports.clone());
        tokio::pin!(backend);
        loop {
            tokio::select! {
                () = &mut backend => return,
                (number, question) = self.interview.next() => {
                    if reports.send(BackendMsg::Question(number, question)).await.is_err() {
                        return;
                    }
                }
                Some(request) = asked.recv() => match request {
                    Request::Answer(number, answer) => self.interview.answer(number, answer),
                    // Without a receiver the backend has ended.
                    other => drop(pass_on.send(other)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use secrecy::ExposeSecret;
    use tokio::sync::watch;

    use super::*;
    use crate::msg::Interest;

    fn unknown_host() -> HostQuestion {
        HostQuestion {
            target: "me@farm:22".to_owned(),
            host: "farm".to_owned(),
            key_type: "ssh-ed25519".to_owned(),
            fingerprint_sha256: "SHA256:abc".to_owned(),
            file: PathBuf::from("/home/me/.ssh/known_hosts"),
        }
    }

    fn locked_key() -> PassphraseQuestion {
        PassphraseQuestion {
            target: "me@farm:22".to_owned(),
            key: PathBuf::from("/home/me/.ssh/id"),
            wrong_before: true,
        }
    }

    /// A backend whose connection asks two things and notes what came through.
    struct Curious(Arc<dyn SshQuestions>);

    impl Backend for Curious {
        async fn run(self, mut wishes: Wishes, reports: Reports) {
            assert_eq!(wishes.requests.recv().await, Some(Request::Reconnect));
            assert!(self.0.trust_host(unknown_host()).await);
            let passphrase = self.0.passphrase(locked_key()).await.unwrap();
            let who = passphrase.expose_secret().to_owned();
            let access = BackendMsg::Access {
                may_operate: true,
                who,
            };
            reports.send(access).await.unwrap();
        }
    }

    #[tokio::test]
    async fn questions_reach_the_console_and_answers_the_connection() {
        let (asker, interview) = Interviewer::new();
        let (_want, interest) = watch::channel(Interest::default());
        let (ask, requests) = mpsc::unbounded_channel();
        let (reports, mut reported) = mpsc::channel(1);
        let backend = Interviewed::new(Curious(asker), interview);
        let running = tokio::spawn(backend.run(Wishes { interest, requests }, reports));
        ask.send(Request::Reconnect).unwrap();
        let Some(BackendMsg::Question(first, Question::TrustHost { fingerprint, .. })) =
            reported.recv().await
        else {
            panic!("no question about the host");
        };
        assert_eq!(fingerprint, "SHA256:abc");
        ask.send(Request::Answer(first + 100, Answer::Trust(false)))
            .unwrap();
        ask.send(Request::Answer(first, Answer::Trust(true))).unwrap();
        let Some(BackendMsg::Question(second, Question::Passphrase { key, wrong_before })) =
            reported.recv().await
        else {
            panic!("no question about the key");
        };
        assert_eq!((key.as_str(), wrong_before), ("/home/me/.ssh/id", true));
        ask.send(Request::Answer(second, Answer::Passphrase(Some("open".into()))))
            .unwrap();
        let answered = reported.recv().await;
        assert!(
            matches!(&answered, Some(BackendMsg::Access { who, .. }) if who == "open"),
            "{answered:?}"
        );
        running.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_to_answer_is_a_refusal() {
        let (asker, mut interview) = Interviewer::new();
        // A question that is given up does not stand in the way of the next one.
        assert!(asker.trust_host(unknown_host()).now_or_never().is_none());
        let (void, _) = interview.next().await;
        interview.answer(void, Answer::Trust(true));
        drop(interview);
        assert!(!asker.trust_host(unknown_host()).await);
        assert!(asker.passphrase(locked_key()).await.is_none());
    }
}
