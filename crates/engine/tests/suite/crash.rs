//! The program dies at every effect and is started again, without any help in between.

use crate::{
    config::{Config, place, representative},
    fake::{Bench, Role, RoleSpec, finish},
    properties::{on_paused_clock, runs},
};
use bedplate_engine::Failure;
use bedplate_plan::Graph;
use proptest::prelude::*;

/// What is there, and what is applied when the program dies.
struct Scene {
    before: Option<Graph>,
    during: Graph,
    /// How long reads lag behind changes, in seconds.
    lag: u64,
}

impl Scene {
    async fn bench(&self) -> Bench {
        let bench = Bench::new();
        bench.cloud.set_lag(self.lag);
        if let Some(before) = &self.before {
            bench.converge(before).await;
        }
        bench
    }

    /// How many effects there are when nothing dies.
    async fn effects(&self, bench: &Bench) -> usize {
        let bench = bench.fork();
        bench.converge(&self.during).await;
        bench.effects.count()
    }

    /// Dies at each of `places` in turn, then `after` is applied.
    async fn survives(&self, bench: Bench, places: &[usize], after_each: impl Fn(&Bench), after: &Graph) {
        for &place in places {
            if bench.dies(&self.during, place).await {
                after_each(&bench);
            }
        }
        bench.converge(after).await;
        bench.check(after).await;
    }

    /// Dies at each effect once, and `after` is applied.
    async fn dies_everywhere(&self, after_each: impl Fn(&Bench), after: &Graph) {
        self.dies_at_every(1, after_each, after).await;
    }

    /// As [`Self::dies_everywhere`], at some effects only: where another scene goes the same ways.
    async fn dies_at_every(&self, nth: usize, after_each: impl Fn(&Bench), after: &Graph) {
        let bench = self.bench().await;
        let effects = self.effects(&bench).await;
        assert!(effects > 5, "only {effects} effects: the scene tells nothing");
        for place in (0..effects).step_by(nth) {
            println!("dies at effect {place} of {effects}");
            self.survives(bench.fork(), &[place], &after_each, after).await;
        }
    }

    async fn survives_everywhere(&self) {
        self.dies_everywhere(ignore, &self.during).await;
    }
}

fn edited(edit: impl FnOnce(&mut Config)) -> Graph {
    let mut config = representative();
    edit(&mut config);
    config.graph()
}

fn bootstrap() -> Scene {
    Scene { before: None, during: representative().graph(), lag: 0 }
}

/// Everything that can be changed in place, and what is never shown.
fn update() -> Scene {
    let during = edited(|config| {
        for slot in &mut config.slots {
            (slot.free, slot.hidden) = (2, 1);
        }
    });
    Scene { before: Some(representative().graph()), during, lag: 0 }
}

/// A network is replaced: the new one first. Most others follow.
fn replace_create_first() -> Scene {
    let during = edited(|config| config.slots[place("net/0")].fixed = 1);
    Scene { before: Some(representative().graph()), during, lag: 0 }
}

/// Subnets pass their ranges around, and named things keep their names: the old one first.
fn replace_delete_first() -> Scene {
    let during = edited(|config| {
        config.rotation = 1;
        for name in ["role/0", "role/1", "store/0"] {
            config.slots[place(name)].fixed = 1;
        }
    });
    Scene { before: Some(representative().graph()), during, lag: 0 }
}

fn destroy() -> Scene {
    let before = representative().graph();
    Scene { during: before.emptied(), before: Some(before), lag: 0 }
}

fn ignore(_: &Bench) {}

#[test]
fn a_bootstrap_survives_dying_anywhere() {
    on_paused_clock(async { bootstrap().survives_everywhere().await });
}

#[test]
fn an_update_survives_dying_anywhere() {
    on_paused_clock(async { update().survives_everywhere().await });
}

#[test]
fn a_replacement_made_first_survives_dying_anywhere() {
    on_paused_clock(async { replace_create_first().survives_everywhere().await });
}

#[test]
fn a_replacement_made_last_survives_dying_anywhere() {
    on_paused_clock(async { replace_delete_first().survives_everywhere().await });
}

#[test]
fn a_destruction_survives_dying_anywhere() {
    on_paused_clock(async { destroy().survives_everywhere().await });
}

/// The tags alone say what was made.
#[test]
fn a_bootstrap_survives_dying_and_losing_the_state() {
    on_paused_clock(async {
        let scene = bootstrap();
        scene.dies_everywhere(Bench::lose_state, &scene.during).await;
    });
}

/// What the tags alone told of is replaced, and the run dies: the next one must know both.
#[test]
fn a_replacement_without_a_state_survives_dying_anywhere() {
    on_paused_clock(async {
        let scene = replace_create_first();
        let bench = scene.bench().await;
        bench.lose_state();
        for place in (0..scene.effects(&bench).await).step_by(3) {
            println!("dies at effect {place}");
            scene.survives(bench.fork(), &[place], ignore, &scene.during).await;
        }
    });
}

/// What was just made does not show yet when the next run looks.
#[test]
fn a_bootstrap_survives_dying_while_reads_lag() {
    on_paused_clock(async { Scene { lag: 20, ..bootstrap() }.survives_everywhere().await });
}

/// What was just made does not show yet, and is not wanted any more.
#[test]
fn what_a_dead_run_made_is_removed_although_reads_lag() {
    on_paused_clock(async {
        let scene = Scene { lag: 20, ..bootstrap() };
        scene.dies_everywhere(ignore, &scene.during.emptied()).await;
    });
}

/// The configuration is corrected before the next run: names, ranges, settings that are never shown.
#[test]
fn what_a_dead_run_made_follows_a_changed_configuration() {
    on_paused_clock(async {
        let changed = edited(|config| {
            config.rotation = 2;
            for slot in &mut config.slots {
                (slot.fixed, slot.free, slot.hidden, slot.refers) = (1, 2, 1, 1);
            }
        });
        bootstrap().dies_at_every(3, ignore, &changed).await;
    });
}

/// The same, and what the dead run made shows only during the next walk: too late for its plan, which then fails on what
/// the plan did not know, but not for the plan after that.
#[test]
fn what_a_dead_run_made_follows_a_changed_configuration_although_reads_lag() {
    on_paused_clock(async {
        let scene = Scene { lag: 20, ..bootstrap() };
        let changed = edited(|config| {
            config.rotation = 2;
            for slot in &mut config.slots {
                (slot.fixed, slot.free, slot.hidden, slot.refers) = (1, 2, 1, 1);
            }
        });
        let bench = scene.bench().await;
        for place in (0..scene.effects(&bench).await).step_by(3) {
            println!("dies at effect {place}");
            let bench = bench.fork();
            bench.dies(&scene.during, place).await;
            let outcome = bench.apply(&changed).await;
            let known = |failure: &Failure| ["NeedsReplacement", "DependencyViolation"].contains(&failure.error.code());
            assert!(outcome.failed.iter().all(known), "{outcome:#?}");
            bench.converge(&changed).await;
            bench.check(&changed).await;
        }
    });
}

/// A destruction is interrupted, and the stack is wanted after all.
#[test]
fn a_destruction_can_be_regretted_anywhere() {
    on_paused_clock(async { destroy().dies_at_every(3, ignore, &representative().graph()).await });
}

/// A replacement is interrupted, and the configuration is set back.
#[test]
fn a_replacement_can_be_regretted_anywhere() {
    on_paused_clock(async {
        replace_create_first().dies_at_every(3, ignore, &representative().graph()).await;
        replace_delete_first().dies_at_every(3, ignore, &representative().graph()).await;
    });
}

/// The configuration switches the protection off and asks for a replacement: both survive.
#[test]
fn a_protected_replacement_survives_dying_anywhere() {
    let role = |path: &'static str, protected: bool| {
        finish(|graph| {
            let (name, policy) = ("role".into(), "all".into());
            let spec = RoleSpec { name, path: path.into(), policy, secret: 1.into(), protected: protected.into() };
            _ = graph.add::<Role>("role/0", spec);
        })
    };
    on_paused_clock(async {
        let scene = Scene { before: Some(role("a", true)), during: role("b", false), lag: 0 };
        scene.survives_everywhere().await;
    });
}

proptest! {
    #![proptest_config(runs(40))]

    #[test]
    fn dying_twice_or_thrice_is_survived(
        scene in 0..5usize,
        places in prop::collection::vec(0..160usize, 2..4),
        lag in prop::sample::select(vec![0, 0, 20]),
    ) {
        let scene = [bootstrap, update, replace_create_first, replace_delete_first, destroy][scene]();
        let scene = Scene { lag, ..scene };
        on_paused_clock(async {
            let bench = scene.bench().await;
            scene.survives(bench, &places, ignore, &scene.during).await;
        });
    }
}
