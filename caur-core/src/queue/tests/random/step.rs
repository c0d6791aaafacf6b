//! What the actors of the farm may do, as data: proptest makes it, and shrinks it. Numbers choose among what is there
//! when the step is taken, so that a sequence stays meaningful when some of it is taken away.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{BuildOutcome, DependencyKind};

/// Pkgbases `p0` to `p7` of each target.
pub const PKGBASES: u8 = 8;
/// Names `lib0` to `lib2` that any of them may provide; as a need they follow the pkgbases.
pub const LIBRARIES: u8 = 3;
/// Builders `b0` to `b3`.
pub const BUILDERS: u8 = 4;
/// Slots of each builder.
pub const SLOTS: u8 = 2;

/// One request of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub pkgbase: u8,
    pub target: u8,
    /// Names, as numbers, and what for.
    pub needs: Vec<(u8, DependencyKind)>,
    /// A library that it provides besides its own name.
    pub provides: Option<u8>,
    /// 1 to 3; 0 and 4 stand for builders by name.
    pub class: u8,
}

/// What came of a publisher's work on one job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Published {
    InPlace,
    Refuse,
    TryLater,
}

/// What somebody does with a token that may be old.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Late {
    Beat,
    End(BuildOutcome),
    Adopts,
    BeatPublishing,
    EndPublishing(Published),
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Submit(Vec<Ask>),
    /// A builder says that it is there.
    Report(u8),
    /// A builder is not heard of for a while.
    Silent(u8),
    /// A builder's process dies; a new one registers, adopts its builds, or does not.
    Restart {
        builder: u8,
        adopts: bool,
    },
    /// A builder's process ends in order.
    Leave(u8),
    Claim {
        builder: u8,
        slot: u8,
    },
    /// The answer to a slot's last claim got lost.
    ClaimAgain {
        builder: u8,
        slot: u8,
    },
    Heartbeat(u8),
    Finish(u8, BuildOutcome),
    FinishAndClaim(u8, BuildOutcome),
    /// The answer to the end of an attempt got lost.
    FinishAgain(u8),
    /// An actor forgets what it holds.
    Forget(u8),
    /// Any token, however old, is used.
    UseLate(u8, Late),
    ClaimUploads {
        target: u8,
        limit: u8,
    },
    EndPublish(u8, Published),
    Index {
        target: u8,
        names: Vec<u8>,
    },
    /// Time passes for one lease, or for all.
    LeaseOver(Option<u8>),
    BackoffOver,
    BlockedOver(u8),
    AvoidOver,
    SelfPauseOver,
    Sweep {
        outage: bool,
    },
    Cancel(u8),
    Hold(u8),
    Unhold(u8),
    Release(u8),
    Priority(u8, i8),
    Retry {
        job: u8,
        rebuild: bool,
    },
    PauseQueue,
    ResumeQueue,
    Pause(u8),
    Resume(u8),
    Drain(u8),
    Reset,
    /// Redis is killed and comes back.
    KillRedis,
}

fn outcome() -> impl Strategy<Value = BuildOutcome> {
    prop_oneof![
        8 => Just(BuildOutcome::Built),
        1 => Just(BuildOutcome::AlreadyBuilt),
        1 => Just(BuildOutcome::Skipped),
        3 => Just(BuildOutcome::Failed),
        1 => Just(BuildOutcome::TimedOut),
        1 => Just(BuildOutcome::OutOfMemory),
        1 => Just(BuildOutcome::Canceled),
        8 => Just(BuildOutcome::Infrastructure),
        2 => Just(BuildOutcome::Released),
    ]
}

fn published() -> impl Strategy<Value = Published> {
    prop_oneof![
        6 => Just(Published::InPlace),
        1 => Just(Published::Refuse),
        2 => Just(Published::TryLater),
    ]
}

fn late() -> impl Strategy<Value = Late> {
    prop_oneof![
        Just(Late::Beat),
        outcome().prop_map(Late::End),
        Just(Late::Adopts),
        Just(Late::BeatPublishing),
        published().prop_map(Late::EndPublishing),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let kind = prop_oneof![
        Just(DependencyKind::Make),
        Just(DependencyKind::Run),
        Just(DependencyKind::Check),
    ];
    let needs = vec((0..PKGBASES + LIBRARIES, kind), 0..3);
    let provides = prop_oneof![2 => Just(None), 1 => (0..LIBRARIES).prop_map(Some)];
    let class = prop_oneof![2 => Just(0_u8), 6 => Just(1), 6 => Just(2), 3 => Just(3), 1 => Just(4)];
    let target = prop_oneof![4 => Just(0_u8), 1 => Just(1)];
    (0..PKGBASES, target, needs, provides, class, 0..4_u8).prop_map(
        |(pkgbase, target, mut needs, provides, class, wild)| {
            // Most packages need only earlier ones, else nearly every batch would be one large cycle.
            if wild > 0 {
                needs.retain(|(name, _)| *name < pkgbase || (*name >= PKGBASES && provides.is_none()));
            }
            Ask {
                pkgbase,
                target,
                needs,
                provides,
                class,
            }
        },
    )
}

fn build() -> impl Strategy<Value = Step> {
    let any = any::<u8>;
    prop_oneof![
        10 => (0..BUILDERS, 0..SLOTS).prop_map(|(builder, slot)| Step::Claim { builder, slot }),
        2 => (0..BUILDERS, 0..SLOTS).prop_map(|(builder, slot)| Step::ClaimAgain { builder, slot }),
        2 => any().prop_map(Step::Heartbeat),
        8 => (any(), outcome()).prop_map(|(hold, outcome)| Step::Finish(hold, outcome)),
        4 => (any(), outcome()).prop_map(|(hold, outcome)| Step::FinishAndClaim(hold, outcome)),
        2 => any().prop_map(Step::FinishAgain),
        1 => any().prop_map(Step::Forget),
        3 => (any(), late()).prop_map(|(hold, late)| Step::UseLate(hold, late)),
    ]
}

fn publish() -> impl Strategy<Value = Step> {
    let target = prop_oneof![4 => Just(0_u8), 1 => Just(1)];
    prop_oneof![
        4 => (target.clone(), 1..4_u8).prop_map(|(target, limit)| Step::ClaimUploads { target, limit }),
        6 => (any::<u8>(), published()).prop_map(|(hold, published)| Step::EndPublish(hold, published)),
        1 => (target, vec(0..PKGBASES + LIBRARIES, 0..6)).prop_map(|(target, names)| Step::Index { target, names }),
    ]
}

fn time() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => proptest::option::of(any::<u8>()).prop_map(Step::LeaseOver),
        6 => Just(Step::BackoffOver),
        1 => any::<u8>().prop_map(Step::BlockedOver),
        1 => Just(Step::AvoidOver),
        1 => Just(Step::SelfPauseOver),
        6 => prop_oneof![11 => Just(false), 1 => Just(true)].prop_map(|outage| Step::Sweep { outage }),
    ]
}

fn fleet() -> impl Strategy<Value = Step> {
    let builder = 0..BUILDERS;
    prop_oneof![
        6 => builder.clone().prop_map(Step::Report),
        1 => builder.clone().prop_map(Step::Silent),
        3 => (builder.clone(), any::<bool>()).prop_map(|(builder, adopts)| Step::Restart { builder, adopts }),
        1 => builder.clone().prop_map(Step::Leave),
        1 => builder.clone().prop_map(Step::Pause),
        8 => builder.clone().prop_map(Step::Resume),
        1 => builder.prop_map(Step::Drain),
        1 => Just(Step::PauseQueue),
        3 => Just(Step::ResumeQueue),
    ]
}

fn operate() -> impl Strategy<Value = Step> {
    let any = any::<u8>;
    prop_oneof![
        3 => any().prop_map(Step::Cancel),
        2 => any().prop_map(Step::Hold),
        2 => any().prop_map(Step::Unhold),
        2 => any().prop_map(Step::Release),
        1 => (any(), -3..4_i8).prop_map(|(job, priority)| Step::Priority(job, priority)),
        4 => (any(), proptest::bool::ANY).prop_map(|(job, rebuild)| Step::Retry { job, rebuild }),
    ]
}

/// Anything that may happen.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        120 => vec(ask(), 1..5).prop_map(Step::Submit),
        400 => build(),
        160 => publish(),
        120 => time(),
        60 => fleet(),
        130 => operate(),
        2 => Just(Step::Reset),
        1 => Just(Step::KillRedis),
    ]
}
