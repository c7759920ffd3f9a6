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
fn a_plan_at_160_columns_with_all_settings() {
    insta::assert_snapshot!(plain(160, true));
}

#[test]
fn no_field_is_wider_than_the_terminal() {
    for line in plain(60, true).lines().filter(|line| line.starts_with("      ")) {
        assert!(
            line.chars().count() <= 60 || line.contains("forces replacement") || line.contains("outside"),
            "{line}"
        );
    }
}

#[test]
fn nothing_to_do_is_one_line() {
    let plan = Plan { changes: Vec::new(), ..plan() };
    assert_eq!(text(&plan, &Kinds::new(KINDS), 80, false), "No changes. 103 resources are as the configuration says.");
}
