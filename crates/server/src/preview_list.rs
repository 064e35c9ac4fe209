use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use profile_export::export::Progress;
use profile_export::request::MergePolicy;
use profile_export::segment::Segment;
use profile_export::store::Scope;
use profile_export::xdm::Timestamp;
use tokio::sync::Semaphore;

use crate::problem::{Answer, Problem};

/// How many previews of all organisations and sandboxes are kept, the newest.
pub(crate) const KEPT: usize = 1000;
/// How long their expressions may be in all, in bytes: what is kept of one may be a hundred times as large.
const KEPT_TEXT: usize = 4 << 20;
/// How many are worked out at a time: each uses all threads that there are.
const AT_A_TIME: usize = 2;
/// Where a preview was made, in its ID.
const APP: &str = "profile-export";
/// A preview is worked out once.
pub(crate) const EXECUTION: i64 = 0;

/// The previews of a server, in memory: a restart forgets them.
pub(crate) struct Previews {
    /// The newest last.
    kept: Mutex<VecDeque<Arc<Preview>>>,
    turns: Semaphore,
}

/// An expression whose people are counted, and shown to whom asks.
pub(crate) struct Preview {
    /// What the platform calls it: base64 of `0:app:query:execution`.
    pub(crate) id: String,
    pub(crate) query: String,
    pub(crate) scope: Scope,
    pub(crate) segment: Segment,
    pub(crate) policy: MergePolicy,
    /// How long its expression is, in bytes.
    size: usize,
    /// The `now` of its expression: when it was made.
    pub(crate) now: Timestamp,
    /// Through it the work is told to stop.
    pub(crate) progress: Arc<Progress>,
    state: Mutex<State>,
}

/// How many people there are, and how many of them the expression takes.
#[derive(Clone)]
pub(crate) struct Counted {
    pub(crate) profiles: u64,
    pub(crate) members: u64,
    /// Those by the namespaces of their identities; one of several counts for each.
    pub(crate) by_namespace: BTreeMap<String, u64>,
}

/// How far a preview is.
#[derive(Clone)]
pub(crate) enum State {
    New,
    Running,
    Ready(Counted),
    /// Why it could not be worked out.
    Failed(String),
}

impl State {
    /// The platform's word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Running => "RUNNING",
            Self::Ready(_) => "RESULT_READY",
            Self::Failed(_) => "FAILED",
        }
    }
}

impl Default for Previews {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            turns: Semaphore::new(AT_A_TIME),
        }
    }
}

impl Previews {
    /// Keeps a new preview of an expression of so many bytes; the oldest ones go where it is too much.
    pub(crate) fn add(
        &self,
        scope: Scope,
        (segment, policy): (Segment, MergePolicy),
        size: usize,
    ) -> Answer<Arc<Preview>> {
        let query = uuid()?;
        let id = format!("0:{APP}:{query}:{EXECUTION}");
        let preview = Arc::new(Preview {
            id: BASE64_STANDARD_NO_PAD.encode(id),
            query,
            scope,
            segment,
            policy,
            size,
            now: Timestamp::now(),
            progress: Arc::default(),
            state: Mutex::new(State::New),
        });
        let mut kept = self.kept();
        let mut text = size + kept.iter().map(|one| one.size).sum::<usize>();
        while kept.len() >= KEPT || text > KEPT_TEXT {
            let Some(oldest) = kept.pop_front() else {
                break;
            };
            text -= oldest.size;
            oldest.progress.cancel();
        }
        kept.push_back(Arc::clone(&preview));
        Ok(preview)
    }

    /// The preview of this ID, where it is of this organisation and sandbox.
    pub(crate) fn get(&self, scope: &Scope, id: &str) -> Answer<Arc<Preview>> {
        let kept = self.kept();
        let mut own = kept.iter().filter(|preview| preview.scope == *scope);
        let found = own.find(|preview| preview.id == id);
        found.cloned().ok_or_else(|| unknown(id))
    }

    /// Forgets a preview, and stops its work.
    pub(crate) fn remove(&self, scope: &Scope, id: &str) -> Answer<()> {
        let mut kept = self.kept();
        let is_it = |one: &Arc<Preview>| one.scope == *scope && one.id == id;
        let at = kept.iter().position(is_it);
        let gone = at.and_then(|at| kept.remove(at));
        gone.ok_or_else(|| unknown(id))?.progress.cancel();
        Ok(())
    }

    /// Works out a preview when it is its turn, unless it is forgotten by then.
    pub(crate) async fn work_out(
        &self,
        preview: &Preview,
        work: impl Future<Output = Answer<Counted>>,
    ) {
        // Nobody waits for it where the server stops.
        let Ok(_turn) = self.turns.acquire().await else {
            return;
        };
        if preview.progress.is_cancelled() {
            return;
        }
        preview.set(State::Running);
        preview.set(match work.await {
            Ok(counted) => State::Ready(counted),
            Err(problem) => State::Failed(problem.detail),
        });
    }

    /// Begins none any more and stops those that are worked out.
    pub(crate) fn stop(&self) {
        self.turns.close();
        self.kept().iter().for_each(|one| one.progress.cancel());
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Preview>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Preview {
    pub(crate) fn state(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!(
        "no preview {id:?}; the newest {KEPT} are kept, until the server ends: POST it again"
    ))
}

/// A random UUID, version 4.
fn uuid() -> Answer<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Problem::internal(&error))?;
    let random = u128::from_be_bytes(bytes);
    let (version, variant) = (0x4000_u128 << 64, 0x8000_u128 << 48);
    let marked = random & !(0xf000_u128 << 64) & !(0xc000_u128 << 48) | version | variant;
    let hex = format!("{marked:032x}");
    let mut parted = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            parted.push('-');
        }
        parted.push(digit);
    }
    Ok(parted)
}

#[cfg(test)]
mod tests {
    use profile_export::segment::Schema;

    use super::*;

    fn add(previews: &Previews, org: &str, size: usize) -> Arc<Preview> {
        let scope = Scope {
            org: org.to_owned(),
            ..Scope::default()
        };
        let schema = Schema::default();
        let segment = Segment::parse("s", "1 = 1", &schema).expect("a segment");
        let [policy, _] = MergePolicy::built_in();
        previews
            .add(scope, (segment, policy), size)
            .expect("a preview")
    }

    #[test]
    fn the_newest_are_kept_and_the_work_on_others_stops() {
        let previews = Previews::default();
        let first = add(&previews, "a", 5);
        for _ in 1..KEPT {
            add(&previews, "b", 5);
        }
        assert!(previews.get(&first.scope, &first.id).is_ok());
        let last = add(&previews, "b", 5);
        assert!(previews.get(&first.scope, &first.id).is_err());
        assert!(first.progress.is_cancelled());
        assert!(previews.get(&last.scope, &last.id).is_ok());
        assert!(previews.get(&first.scope, &last.id).is_err());
        assert!(previews.remove(&first.scope, &last.id).is_err());
        assert!(!last.progress.is_cancelled());
        // A long one takes the place of many.
        add(&previews, "c", KEPT_TEXT);
        assert!(previews.get(&last.scope, &last.id).is_err());
    }

    #[test]
    fn an_id_is_the_platforms_in_a_path_without_escapes() {
        let preview = add(&Previews::default(), "a", 5);
        let told = BASE64_STANDARD_NO_PAD.decode(&preview.id).expect("base64");
        let told = String::from_utf8(told).expect("text");
        assert_eq!(told, format!("0:profile-export:{}:0", preview.query));
        assert!(preview.id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let (query, digits) = (preview.query.as_bytes(), preview.query.replace('-', ""));
        assert_eq!((query.len(), digits.len()), (36, 32));
        assert_eq!((query[8], query[13], query[14]), (b'-', b'-', b'4'));
        assert!(b"89ab".contains(&query[19]), "{}", preview.query);
    }
}
