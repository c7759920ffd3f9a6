use super::{
    samples::{plan, retagged},
    *,
};
use bedplate_aws::KINDS;

fn plain(width: usize, all: bool) -> String {
    without_colour(&plan(), width, all)
}

/// What NO_COLOR leaves.
fn without_colour(plan: &Plan, width: usize, all: bool) -> String {
    anstream::adapter::strip_str(&text(plan, &Kinds::new(KINDS), width, all)).to_string()
}

#[test]
fn tags_that_change_everywhere_are_shown_once_at_80_columns() {
    insta::assert_snapshot!(without_colour(&retagged(), 80, false));
}

#[test]
fn tags_that_change_everywhere_are_shown_once_at_160_columns() {
    insta::assert_snapshot!(without_colour(&retagged(), 160, false));
}

#[test]
fn each_resource_whose_tags_change_is_named_once_and_with_all_settings_for_itself() {
    let plan = retagged();
    let words = |text: &str| text.split([' ', ',', '\n']).map(str::to_owned).collect::<Vec<_>>();
    let (folded, each) = (words(&without_colour(&plan, 80, false)), words(&without_colour(&plan, 80, true)));
    for change in &plan.changes {
        for shown in [&folded, &each] {
            assert_eq!(shown.iter().filter(|word| *word == name(change)).count(), 1, "{}", change.address);
        }
    }
    let updates = |words: &[String]| words.iter().filter(|word| *word == "update:").count();
    assert_eq!((updates(&folded), updates(&each)), (6, plan.changes.len()));
}

#[test]
fn a_plan_at_80_columns() {
    insta::assert_snapshot!(plain(80, false));
}

#[test]
fn a_plan_at_160_columns() {
    insta::assert_snapshot!(plain(160, false));
}

#[test]
fn a_plan_at_160_columns_with_all_settings() {
    insta::assert_snapshot!(plain(160, true));
}

#[test]
fn a_plan_in_colour() {
    // The escapes as something that can be read.
    let text = text(&plan(), &Kinds::new(KINDS), 80, false).replace('\u{1b}', "␛");
    insta::assert_snapshot!(text);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [50, 60, 80, 120, 160] {
        for (plan, all) in [(plan(), false), (plan(), true), (retagged(), false), (retagged(), true)] {
            for line in without_colour(&plan, width, all).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn scripts_are_told_what_people_are() {
    let document = plan_json(&plan(), &Kinds::new(KINDS), &bedplate_aws::Ledger::default());
    assert_eq!(document["critical_path"], serde_json::json!(["network/vpc", "cluster/cluster", "cluster/node-group"]));
    assert_eq!(document["expected_seconds"], 691);
    let of = |address: &str| {
        let changes = document["changes"].as_array().unwrap();
        changes.iter().find(|change| change["address"] == address).unwrap().clone()
    };
    let subnet = of("network/subnet/app-a");
    assert_eq!((&subnet["missing_meanwhile"], &subnet["expected_seconds"]), (&true.into(), &1.into()), "{subnet:#}");
    assert_eq!(subnet["removes"], serde_json::json!([{"id": "old-1", "with": null}]));
    assert_eq!(of("network/vpc")["missing_meanwhile"], false);
    let forgotten = of("security/service-linked-role/dynamodb.application-autoscaling");
    assert_eq!((&forgotten["action"], &forgotten["removes"]), (&"forget".into(), &serde_json::json!([])));
}

#[test]
fn nothing_to_do_is_one_line() {
    let plan = Plan { changes: Vec::new(), ..plan() };
    assert_eq!(text(&plan, &Kinds::new(KINDS), 80, false), "No changes. 103 resources are as the configuration says.");
}
