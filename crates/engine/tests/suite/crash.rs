//! The program dies at every effect and is started again, without any help in between.

use crate::{
    config::{Config, place, representative},
    fake::Bench,
    properties::{on_paused_clock, runs},
};
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
    async fn effects(&self) -> usize {
        let bench = self.bench().await;
        bench.effects.arm(None);
        bench.converge(&self.during).await;
        bench.effects.count()
    }

    /// Dies at each of `places` in turn, then goes through.
    async fn survives(&self, places: &[usize], after_each: impl Fn(&Bench)) {
        let bench = self.bench().await;
        for &place in places {
            if bench.dies(&self.during, place).await {
                after_each(&bench);
            }
        }
        bench.converge(&self.during).await;
        bench.check(&self.during).await;
    }

    async fn survives_everywhere(&self, after_each: impl Fn(&Bench)) {
        let effects = self.effects().await;
        assert!(effects > 20, "only {effects} effects: the scene tells nothing");
        for place in 0..effects {
            println!("dies at effect {place} of {effects}");
            self.survives(&[place], &after_each).await;
        }
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
    on_paused_clock(async { bootstrap().survives_everywhere(ignore).await });
}

#[test]
fn an_update_survives_dying_anywhere() {
    on_paused_clock(async { update().survives_everywhere(ignore).await });
}

#[test]
fn a_replacement_made_first_survives_dying_anywhere() {
    on_paused_clock(async { replace_create_first().survives_everywhere(ignore).await });
}

#[test]
fn a_replacement_made_last_survives_dying_anywhere() {
    on_paused_clock(async { replace_delete_first().survives_everywhere(ignore).await });
}

#[test]
fn a_destruction_survives_dying_anywhere() {
    on_paused_clock(async { destroy().survives_everywhere(ignore).await });
}

/// The tags alone say what was made.
#[test]
fn a_bootstrap_survives_dying_and_losing_the_state() {
    on_paused_clock(async { bootstrap().survives_everywhere(Bench::lose_state).await });
}

/// What was just made does not show yet when the next run looks.
#[test]
fn a_bootstrap_survives_dying_while_reads_lag() {
    on_paused_clock(async { Scene { lag: 20, ..bootstrap() }.survives_everywhere(ignore).await });
}

/// What was just made does not show yet, and is not wanted any more.
#[test]
fn what_a_dead_run_made_is_removed_although_reads_lag() {
    on_paused_clock(async {
        let scene = Scene { lag: 20, ..bootstrap() };
        for place in 0..scene.effects().await {
            println!("dies at effect {place}");
            let bench = scene.bench().await;
            bench.dies(&scene.during, place).await;
            let nothing = scene.during.emptied();
            bench.converge(&nothing).await;
            bench.check(&nothing).await;
        }
    });
}

/// The configuration is corrected before the next run: names, ranges, settings that are never shown.
#[test]
fn what_a_dead_run_made_follows_a_changed_configuration() {
    on_paused_clock(async {
        let scene = bootstrap();
        let changed = edited(|config| {
            config.rotation = 2;
            for slot in &mut config.slots {
                (slot.fixed, slot.free, slot.hidden, slot.refers) = (1, 2, 1, 1);
            }
        });
        for place in 0..scene.effects().await {
            println!("dies at effect {place}");
            let bench = scene.bench().await;
            bench.dies(&scene.during, place).await;
            bench.converge(&changed).await;
            bench.check(&changed).await;
        }
    });
}

proptest! {
    #![proptest_config(runs(60))]

    #[test]
    fn dying_twice_or_thrice_is_survived(
        scene in 0..5usize,
        places in prop::collection::vec(0..160usize, 2..4),
        lag in prop::sample::select(vec![0, 0, 20]),
    ) {
        let scene = [bootstrap, update, replace_create_first, replace_delete_first, destroy][scene]();
        on_paused_clock(Scene { lag, ..scene }.survives(&places, ignore));
    }
}
