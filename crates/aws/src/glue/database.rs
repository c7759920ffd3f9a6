//! A database in the catalogue of tables.

use crate::{Arn, Aws, error::Sent};
use aws_sdk_glue::types::{Database as SdkDatabase, DatabaseInput};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};

/// A database in the catalogue of tables.
///
/// Its id is `account|name`. Deleting it deletes the tables in it, which are descriptions: no data.
#[derive(Debug)]
pub enum Database {}

/// Settings of a database.
#[derive(Clone, Debug, Record)]
pub struct DatabaseSpec<P: Phase> {
    /// The account whose catalogue it is in, 12 digits.
    #[replace]
    #[aws(none)]
    pub account: P::Of<String>,
    /// Its name, unique in the catalogue; `a-z`, `0-9` and `_`, as Athena wants it.
    #[replace]
    #[aws("DatabaseName")]
    pub name: P::Of<String>,
    /// What it is for, at most 2048 characters.
    #[aws("DatabaseInput")]
    pub description: P::Of<String>,
    /// Where the data of its tables lie: `s3://bucket/prefix/`.
    #[aws("DatabaseInput")]
    pub location: P::Of<String>,
}

/// Outputs of a database.
#[derive(Clone, Debug, Record)]
pub struct DatabaseOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Database {
    const KIND: &'static str = "glue.database";
    const DOC: &'static str = "A database in the catalogue of tables.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::Glue::Database");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_glue_catalog_database", id: "{account_id}|{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "glue:CreateDatabase",
        "glue:DeleteDatabase",
        "glue:GetDatabases",
        "glue:GetTags",
        "glue:TagResource",
        "glue:UntagResource",
        "glue:UpdateDatabase",
    ];
    // All that replaces it is in its id, so that old and new stand side by side.
    const ORDER: Order = Order::CreateFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = DatabaseSpec<P>;
    type Outputs<P: Phase> = DatabaseOutputs<P>;

    fn identity(spec: &DatabaseSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.account.as_ref()?, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let account = match which {
            Which::Ids(ids) => ids.first().map(|id| id.split().0.to_owned()).unwrap_or_default(),
            Which::Owned(_) => cloud.account().await?,
        };
        let mut found = Vec::new();
        let mut databases = Vec::new();
        let mut pages = cloud.glue.get_databases().catalog_id(&account).into_paginator().send();
        while let Some(page) = pages.next().await {
            databases.extend(page.sent()?.database_list);
        }
        for database in databases {
            let id = Id::child(&account, database.name());
            if matches!(which, Which::Ids(ids) if !ids.contains(&id)) {
                continue;
            }
            let Some(answer) = cloud.glue.get_tags().resource_arn(arn(cloud, &id)).send().await.found()? else {
                continue;
            };
            let tags = answer.tags.unwrap_or_default().into_iter().filter(|(key, _)| !key.starts_with("aws:"));
            let tags: Tags = tags.collect();
            if which.covers(&id, &tags) {
                found.push(observe(&account, &database, Arn::new(arn(cloud, &id)), tags));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &DatabaseSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.glue.create_database().catalog_id(&spec.account).database_input(to_input(spec));
        let tags = creation.tags.clone().into_iter().collect();
        request.set_tags(Some(tags)).send().await.sent()?;
        Ok(Id::child(&spec.account, &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (account, name) = step.id.split();
        let request = cloud.glue.update_database().catalog_id(account).name(name);
        request.database_input(to_input(step.wanted)).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let arn = arn(cloud, id);
        if !set.is_empty() {
            let request = cloud.glue.tag_resource().resource_arn(&arn);
            request.set_tags_to_add(Some(set.clone().into_iter().collect())).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.glue.untag_resource().resource_arn(&arn);
            request.set_tags_to_remove(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (account, name) = id.split();
        cloud.glue.delete_database().catalog_id(account).name(name).send().await.sent().map(drop)
    }
}

fn arn(cloud: &Aws, id: &Id) -> String {
    let (account, name) = id.split();
    let region = cloud.glue.config().region().map(AsRef::as_ref).unwrap_or_default();
    format!("arn:aws:glue:{region}:{account}:database/{name}")
}

fn to_input(spec: &DatabaseSpec<Resolved>) -> DatabaseInput {
    let input = DatabaseInput::builder().name(&spec.name).description(&spec.description);
    input.location_uri(&spec.location).build().expect("it has a name")
}

fn observe(account: &str, database: &SdkDatabase, arn: Arn, tags: Tags) -> Observation<Database> {
    let name = database.name();
    Observation {
        id: Id::child(account, name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: DatabaseSpec {
            account: Some(account.to_owned()),
            name: Some(name.to_owned()),
            description: Some(database.description().unwrap_or_default().to_owned()),
            location: Some(database.location_uri().unwrap_or_default().to_owned()),
        },
        outputs: Some(DatabaseOutputs { name: name.to_owned(), arn }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_database_is_read_as_aws_shows_it() {
        let database = SdkDatabase::builder().name("costs").location_uri("s3://bucket/reports/").build().unwrap();
        let seen = observe("797923187401", &database, Arn::new("arn:database"), Tags::new());
        let expected = json!({
            "account": "797923187401", "name": "costs", "description": "", "location": "s3://bucket/reports/",
        });
        assert_eq!(seen.spec.to_json(), expected);
        assert_eq!(Database::identity(&seen.spec), Some(seen.id));
    }
}
