use super::{samples::plan, *};
use bedplate_aws::KINDS;

fn plain(width: usize, all: bool) -> String {
    let kinds = Kinds::new(KINDS);
    anstream::adapter::strip_str(&text(&plan(), &kinds, width, all)).to_string()
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
