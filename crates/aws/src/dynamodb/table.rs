//! A table.

use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    PointInTimeRecoveryStatus, ProvisionedThroughput, ScalarAttributeType, SseSpecification, SseStatus, SseType,
    StreamSpecification, StreamViewType, TableClass, TableDescription, TableStatus, Tag, TimeToLiveSpecification,
    TimeToLiveStatus,
};
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Observed, Pace, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Which,
};
use serde::{Deserialize, Serialize};

/// How long DynamoDB keeps what it needs to go back in time, when it is not told.
const DEFAULT_RECOVERY: u32 = 35;

/// A table.
#[derive(Debug)]
pub enum Table {}

/// Settings of a table.
#[derive(Clone, Debug, Record)]
pub struct TableSpec<P: Phase> {
    /// Its name, 3 to 255 characters of letters, digits and `_.-`.
    #[refuse]
    #[aws("TableName")]
    pub name: P::Of<String>,
    /// The attribute that items are spread by.
    #[refuse]
    #[aws("KeySchema")]
    pub partition_key: P::Of<KeyAttribute>,
    /// The attribute that items of one partition key are sorted by; none makes the partition key the whole key.
    #[refuse]
    #[aws("KeySchema")]
    pub sort_key: P::Of<Option<KeyAttribute>>,
    /// How it is paid for: `PROVISIONED` or `PAY_PER_REQUEST`.
    pub billing_mode: P::Of<String>,
    /// Reads per second, in units of one strongly consistent read of 4 KiB. Inside `read_range` the scaler moves it. 0
    /// with `PAY_PER_REQUEST`.
    #[aws("ProvisionedThroughput")]
    pub read_capacity: P::Of<u64>,
    /// Writes per second, in units of one write of 1 KiB. Inside `write_range` the scaler moves it. 0 with
    /// `PAY_PER_REQUEST`.
    #[aws("ProvisionedThroughput")]
    pub write_capacity: P::Of<u64>,
    /// The range in which a scaler moves `read_capacity`; none when there is no scaler.
    #[aws(none)]
    pub read_range: P::Of<Option<CapacityRange>>,
    /// The range in which a scaler moves `write_capacity`; none when there is no scaler.
    #[aws(none)]
    pub write_range: P::Of<Option<CapacityRange>>,
    /// What its stream tells of a changed item: `KEYS_ONLY`, `NEW_IMAGE`, `OLD_IMAGE` or `NEW_AND_OLD_IMAGES`; none makes
    /// no stream.
    #[aws("StreamSpecification")]
    pub stream_view_type: P::Of<Option<String>>,
    /// The ARN of the key it is encrypted with; none takes DynamoDB's own.
    #[aws("SSESpecification")]
    pub kms_key: P::Of<Option<Arn>>,
    /// The attribute that holds an item's end, in seconds since 1970; none keeps items for ever.
    #[aws("TimeToLiveSpecification")]
    pub ttl_attribute: P::Of<Option<String>>,
    /// How many days back it can be restored to any second, 1 to 35; none cannot.
    #[aws("PointInTimeRecoverySpecification")]
    pub recovery_days: P::Of<Option<u32>>,
    /// Whether AWS refuses to delete it.
    #[aws("DeletionProtectionEnabled")]
    pub deletion_protection: P::Of<bool>,
    /// What storage and requests cost: `STANDARD` or `STANDARD_INFREQUENT_ACCESS`.
    pub table_class: P::Of<String>,
}

/// Outputs of a table.
#[derive(Clone, Debug, Record)]
pub struct TableOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
    /// Its stream's ARN, when it has one.
    #[volatile]
    pub stream_arn: P::Of<Option<Arn>>,
}

/// An attribute of a table's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAttribute {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: AttributeKind,
}

/// What the values of a key attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeKind {
    /// Texts.
    S,
    /// Numbers.
    N,
    /// Bytes.
    B,
}

/// A range in which a scaler moves a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityRange {
    /// The lowest.
    pub min: u64,
    /// The highest.
    pub max: u64,
}

impl Reconcile for Table {
    const KIND: &'static str = "dynamodb.table";
    const DOC: &'static str = "A table of DynamoDB.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::DynamoDB::Table");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_dynamodb_table", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "dynamodb:CreateTable",
        "dynamodb:DeleteTable",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:ListTables",
        "dynamodb:ListTagsOfResource",
        "dynamodb:TagResource",
        "dynamodb:UntagResource",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
        // DynamoDB takes the key into use with the caller's rights.
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "tag:GetResources",
    ];
    // A table is there after seconds; DynamoDB takes a second change of the expiry attribute only after up to an hour.
    const PACE: Pace = Pace::seconds(10, 5, 3900);
    type Cloud = Aws;
    type Spec<P: Phase> = TableSpec<P>;
    type Outputs<P: Phase> = TableOutputs<P>;

    fn identity(spec: &TableSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut names = Vec::new();
        match which {
            Which::Ids(ids) => names.extend(ids.iter().map(|id| id.as_str().to_owned())),
            // Tables cannot be listed by tag.
            Which::Owned(_) => {
                let mut pages = cloud.dynamodb.list_tables().into_paginator().items().send();
                while let Some(name) = pages.next().await {
                    names.push(name.sent()?);
                }
            }
        }
        let found = at_once(names.iter().map(|name| look(cloud, which, name))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(cloud: &Aws, spec: &TableSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let mut request = cloud.dynamodb.create_table().table_name(&spec.name);
        for (key, place) in [(Some(&spec.partition_key), KeyType::Hash), (spec.sort_key.as_ref(), KeyType::Range)] {
            let Some(key) = key else { continue };
            let kind = match key.kind {
                AttributeKind::S => ScalarAttributeType::S,
                AttributeKind::N => ScalarAttributeType::N,
                AttributeKind::B => ScalarAttributeType::B,
            };
            let definition = AttributeDefinition::builder().attribute_name(&key.name).attribute_type(kind).build();
            let element = KeySchemaElement::builder().attribute_name(&key.name).key_type(place).build();
            request = request.attribute_definitions(definition.expect("all is given"));
            request = request.key_schema(element.expect("all is given"));
        }
        let request = request.billing_mode(BillingMode::from(spec.billing_mode.as_str()));
        let request = request.set_provisioned_throughput(throughput(spec, spec.read_capacity, spec.write_capacity));
        let request = request.set_stream_specification(spec.stream_view_type.as_deref().map(stream));
        let request = request.set_sse_specification(spec.kms_key.as_ref().map(|key| encryption(Some(key))));
        let request = request.deletion_protection_enabled(spec.deletion_protection);
        let request = request.table_class(TableClass::from(spec.table_class.as_str()));
        request.set_tags(Some(to_tags(&creation.tags))).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (name, wanted, seen) = (step.id.as_str(), step.wanted, step.seen);
        if step.changes(&["recovery_days"]) {
            let recovery = PointInTimeRecoverySpecification::builder();
            let recovery = recovery.point_in_time_recovery_enabled(wanted.recovery_days.is_some());
            let recovery =
                recovery.set_recovery_period_in_days(wanted.recovery_days.and_then(|days| days.try_into().ok()));
            let request = cloud.dynamodb.update_continuous_backups().table_name(name);
            let recovery = recovery.build().expect("all is given");
            request.point_in_time_recovery_specification(recovery).send().await.sent()?;
        }
        if step.changes(&["ttl_attribute"]) {
            // From one attribute to another leads only through none.
            let before = seen.ttl_attribute.as_ref().and_then(Option::as_ref);
            if let Some(attribute) = before.or(wanted.ttl_attribute.as_ref()) {
                let ttl = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(before.is_none());
                let request = cloud.dynamodb.update_time_to_live().table_name(name);
                let ttl = ttl.build().expect("all is given");
                request.time_to_live_specification(ttl).send().await.sent()?;
            }
        }
        // From here on each call keeps the table busy: the rest is for the next step.
        let request = cloud.dynamodb.update_table().table_name(name);
        let request = if step.changes(&["deletion_protection"]) {
            request.deletion_protection_enabled(wanted.deletion_protection)
        } else if step.changes(&["billing_mode", "read_capacity", "write_capacity"]) {
            // What does not differ may be the scaler's.
            let kept = |field, wanted: u64, seen: Option<u64>| {
                if step.changes(&[field]) { wanted } else { seen.unwrap_or(wanted) }
            };
            let read = kept("read_capacity", wanted.read_capacity, seen.read_capacity);
            let write = kept("write_capacity", wanted.write_capacity, seen.write_capacity);
            let request = request.billing_mode(BillingMode::from(wanted.billing_mode.as_str()));
            request.set_provisioned_throughput(throughput(wanted, read, write))
        } else if step.changes(&["stream_view_type"]) {
            // A stream does not change: it ends, and another one begins.
            let old = matches!(&seen.stream_view_type, Some(Some(_)));
            let none = || StreamSpecification::builder().stream_enabled(false).build().expect("all is given");
            let new = wanted.stream_view_type.as_deref().filter(|_| !old);
            request.stream_specification(new.map_or_else(none, stream))
        } else if step.changes(&["kms_key"]) {
            request.sse_specification(encryption(wanted.kms_key.as_ref()))
        } else if step.changes(&["table_class"]) {
            request.table_class(TableClass::from(wanted.table_class.as_str()))
        } else {
            return Ok(());
        };
        request.send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let table = describe(cloud, id.as_str()).await?;
        let Some(arn) = table.as_ref().and_then(TableDescription::table_arn) else {
            let (operation, code) = ("dynamodb:DescribeTable", "ResourceNotFoundException");
            return Err(CallError::local(operation, code, "no such table", Class::NotFound));
        };
        if !set.is_empty() {
            cloud.dynamodb.tag_resource().resource_arn(arn).set_tags(Some(to_tags(set))).send().await.sent()?;
        }
        if !remove.is_empty() {
            let keys = Some(remove.to_vec());
            cloud.dynamodb.untag_resource().resource_arn(arn).set_tag_keys(keys).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.dynamodb.delete_table().table_name(id.as_str()).send().await.sent().map(drop)
    }

    fn protection(spec: &TableSpec<Observed>) -> Option<&'static str> {
        (spec.deletion_protection == Some(true)).then_some("deletion protection")
    }

    async fn unprotect(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.dynamodb.update_table().table_name(id.as_str());
        request.deletion_protection_enabled(false).send().await.sent().map(drop)
    }

    fn tolerate(wanted: &TableSpec<Observed>, seen: &mut TableSpec<Observed>) {
        let inside = |range: &Option<Option<CapacityRange>>, live: Option<u64>| match (range, live) {
            (Some(Some(range)), Some(live)) => (range.min..=range.max).contains(&live),
            _ => false,
        };
        if inside(&wanted.read_range, seen.read_capacity) {
            seen.read_capacity = wanted.read_capacity;
        }
        if inside(&wanted.write_range, seen.write_capacity) {
            seen.write_capacity = wanted.write_capacity;
        }
        // They are nothing of the table's: they say what is tolerated.
        (seen.read_range, seen.write_range) = (wanted.read_range, wanted.write_range);
    }
}

/// A table with what its description does not have.
async fn look(cloud: &Aws, which: Which<'_>, name: &str) -> Result<Option<Observation<Table>>, CallError> {
    let Some(table) = describe(cloud, name).await? else { return Ok(None) };
    let Some(tags) = tags(cloud, table.table_arn()).await? else { return Ok(None) };
    if !which.covers(&Id::new(name), &tags) {
        return Ok(None);
    }
    let (ttl, backups) = tokio::try_join!(
        async { cloud.dynamodb.describe_time_to_live().table_name(name).send().await.found() },
        async { cloud.dynamodb.describe_continuous_backups().table_name(name).send().await.found() },
    )?;
    let ttl = ttl.map(|answer| {
        let ttl = answer.time_to_live_description?;
        let on = matches!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
        ttl.attribute_name.filter(|_| on)
    });
    let recovery = backups.map(|answer| {
        let recovery = answer.continuous_backups_description?.point_in_time_recovery_description?;
        let on = recovery.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled);
        let days = recovery.recovery_period_in_days.and_then(|days| days.try_into().ok());
        on.then(|| days.unwrap_or(DEFAULT_RECOVERY))
    });
    Ok(observe(&table, ttl, recovery, tags))
}

async fn describe(cloud: &Aws, name: &str) -> Result<Option<TableDescription>, CallError> {
    let answer = cloud.dynamodb.describe_table().table_name(name).send().await.found()?;
    Ok(answer.and_then(|answer| answer.table))
}

/// The tags of a table; `None` when it is gone by now.
async fn tags(cloud: &Aws, arn: Option<&str>) -> Result<Option<Tags>, CallError> {
    let (mut tags, mut next) = (Tags::new(), None);
    let Some(arn) = arn else { return Ok(Some(tags)) };
    if let Some(tags) = cloud.indexed_tags(arn).await {
        return Ok(Some(tags));
    }
    // The SDK has no paginator for this call.
    loop {
        let request = cloud.dynamodb.list_tags_of_resource().resource_arn(arn).set_next_token(next);
        let Some(page) = request.send().await.found()? else { return Ok(None) };
        let pairs = page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value));
        tags.extend(pairs.filter(|(key, _)| !key.starts_with("aws:")));
        next = page.next_token;
        if next.is_none() {
            return Ok(Some(tags));
        }
    }
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("key and value are given");
    tags.iter().map(tag).collect()
}

/// Capacities for a call; a table that is paid per request has none.
fn throughput(spec: &TableSpec<Resolved>, read: u64, write: u64) -> Option<ProvisionedThroughput> {
    let signed = |units: u64| units.try_into().unwrap_or(i64::MAX);
    let throughput =
        ProvisionedThroughput::builder().read_capacity_units(signed(read)).write_capacity_units(signed(write));
    let throughput = throughput.build().expect("all is given");
    (spec.billing_mode == BillingMode::Provisioned.as_str()).then_some(throughput)
}

fn stream(view: &str) -> StreamSpecification {
    let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::from(view));
    stream.build().expect("all is given")
}

fn encryption(key: Option<&Arn>) -> SseSpecification {
    let Some(key) = key else { return SseSpecification::builder().enabled(false).build() };
    SseSpecification::builder().enabled(true).sse_type(SseType::Kms).kms_master_key_id(key.as_str()).build()
}

fn observe(
    table: &TableDescription,
    ttl_attribute: Option<Option<String>>,
    recovery_days: Option<Option<u32>>,
    tags: Tags,
) -> Option<Observation<Table>> {
    let name = table.table_name()?;
    let key = |place: KeyType| {
        let key = table.key_schema().iter().find(|key| key.key_type == place)?;
        let definition =
            table.attribute_definitions().iter().find(|known| known.attribute_name == key.attribute_name)?;
        let kind = match definition.attribute_type {
            ScalarAttributeType::N => AttributeKind::N,
            ScalarAttributeType::B => AttributeKind::B,
            _ => AttributeKind::S,
        };
        Some(KeyAttribute { name: key.attribute_name.clone(), kind })
    };
    let capacity = table.provisioned_throughput();
    let units = |units: Option<i64>| units.and_then(|units| units.try_into().ok()).unwrap_or(0);
    let stream = table.stream_specification().filter(|stream| stream.stream_enabled);
    let encryption = table.sse_description().filter(|encryption| encryption.status() != Some(&SseStatus::Disabled));
    // DynamoDB leaves out both summaries where nothing else than the default was ever set.
    let billing = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    let class = table.table_class_summary().and_then(|summary| summary.table_class());
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: match table.table_status() {
            Some(TableStatus::Active) | None => Readiness::Ready,
            // Never broken, also when its key cannot be used or it is archived: a replacement would lose its items.
            Some(status) => Readiness::Busy(status.to_string()),
        },
        spec: TableSpec {
            name: Some(name.to_owned()),
            partition_key: key(KeyType::Hash),
            sort_key: Some(key(KeyType::Range)),
            billing_mode: Some(billing.unwrap_or(&BillingMode::Provisioned).to_string()),
            read_capacity: Some(units(capacity.and_then(|capacity| capacity.read_capacity_units()))),
            write_capacity: Some(units(capacity.and_then(|capacity| capacity.write_capacity_units()))),
            read_range: None,
            write_range: None,
            stream_view_type: Some(stream.and_then(|stream| Some(stream.stream_view_type()?.to_string()))),
            kms_key: Some(encryption.and_then(|encryption| encryption.kms_master_key_arn()).map(Arn::new)),
            ttl_attribute,
            recovery_days,
            deletion_protection: Some(table.deletion_protection_enabled().unwrap_or(false)),
            table_class: Some(class.unwrap_or(&TableClass::Standard).to_string()),
        },
        outputs: table.table_arn().map(|arn| TableOutputs {
            name: name.to_owned(),
            arn: Arn::new(arn),
            // A stream that was ended can be read for another day, but it is not the table's any more.
            stream_arn: stream.and(table.latest_stream_arn()).map(Arn::new),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::{ProvisionedThroughputDescription, SseDescription};
    use serde_json::json;

    const ARN: &str = "arn:aws:dynamodb:us-east-1:797923187401:table/fintech-sessions";

    fn table(read: i64) -> TableDescription {
        let element = |name, place| KeySchemaElement::builder().attribute_name(name).key_type(place).build().unwrap();
        let text = |name| {
            let definition = AttributeDefinition::builder().attribute_name(name);
            definition.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        let capacity = ProvisionedThroughputDescription::builder().read_capacity_units(read).write_capacity_units(5);
        let encryption = SseDescription::builder().status(SseStatus::Enabled).kms_master_key_arn("arn:key");
        TableDescription::builder()
            .table_name("fintech-sessions")
            .table_arn(ARN)
            .table_status(TableStatus::Updating)
            .key_schema(element("userId", KeyType::Hash))
            .key_schema(element("sessionId", KeyType::Range))
            .attribute_definitions(text("sessionId"))
            .attribute_definitions(text("userId"))
            .provisioned_throughput(capacity.build())
            .stream_specification(stream("NEW_AND_OLD_IMAGES"))
            .latest_stream_arn(format!("{ARN}/stream/1"))
            .sse_description(encryption.build())
            .deletion_protection_enabled(true)
            .build()
    }

    #[test]
    fn a_table_is_read_as_aws_shows_it() {
        let seen = observe(&table(5), Some(Some("expiresAt".to_owned())), Some(Some(35)), Tags::new()).unwrap();
        assert_eq!(seen.readiness, Readiness::Busy("UPDATING".to_owned()));
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "fintech-sessions", "partition_key": {"name": "userId", "kind": "S"},
                "sort_key": {"name": "sessionId", "kind": "S"}, "billing_mode": "PROVISIONED", "read_capacity": 5,
                "write_capacity": 5, "stream_view_type": "NEW_AND_OLD_IMAGES", "kms_key": "arn:key",
                "ttl_attribute": "expiresAt", "recovery_days": 35, "deletion_protection": true,
                "table_class": "STANDARD",
            })
        );
        assert_eq!(Table::protection(&seen.spec), Some("deletion protection"));
        assert_eq!(seen.outputs.unwrap().stream_arn, Some(Arn::new(format!("{ARN}/stream/1"))));
    }

    #[test]
    fn the_scaler_moves_capacity_inside_its_range_only() {
        let range = |range| TableSpec { read_range: Some(range), ..spec(5) };
        let scaled = range(Some(CapacityRange { min: 5, max: 100 }));
        for (wanted, live, tolerated) in [(&scaled, 60, 5), (&scaled, 101, 101), (&range(None), 60, 60)] {
            let mut seen = spec(live);
            Table::tolerate(wanted, &mut seen);
            assert_eq!(seen.read_capacity, Some(tolerated));
            assert_eq!(seen.read_range, wanted.read_range);
        }
    }

    fn spec(read: u64) -> TableSpec<Observed> {
        observe(&table(read.try_into().unwrap()), None, None, Tags::new()).unwrap().spec
    }
}
