//! The clients of all services.

use crate::{
    error::Sent,
    fence::Fence,
    http,
    kubernetes::{Clusters, Token},
    ledger::Ledger,
    shared::Shared,
    throttle::Throttle,
};
use aws_config::{Region, SdkConfig, stalled_stream_protection::StalledStreamProtectionConfig};
use bedplate_model::{CallError, Id};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Budgets, Cost Explorer and the cost and usage report answer only here, wherever the platform is (AWS General Reference,
/// "Billing and Cost Management endpoints").
pub(crate) const HOME: &str = "us-east-1";

/// The clients, one per service, over one HTTP connection pool.
#[derive(Clone, Debug)]
pub struct Aws {
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// EKS.
    pub eks: aws_sdk_eks::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// KMS.
    pub kms: aws_sdk_kms::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
    /// RDS and Aurora.
    pub rds: aws_sdk_rds::Client,
    /// ElastiCache.
    pub elasticache: aws_sdk_elasticache::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// SNS.
    pub sns: aws_sdk_sns::Client,
    /// Budgets.
    pub budgets: aws_sdk_budgets::Client,
    /// Cost Explorer.
    pub cost_explorer: aws_sdk_costexplorer::Client,
    /// CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Elastic Load Balancing.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Elastic Load Balancing's first version: classic load balancers.
    pub classic_elb: aws_sdk_elasticloadbalancing::Client,
    /// EC2 Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// Application Auto Scaling.
    pub scaling: aws_sdk_applicationautoscaling::Client,
    /// Athena.
    pub athena: aws_sdk_athena::Client,
    /// Glue.
    pub glue: aws_sdk_glue::Client,
    /// Cost and Usage Reports.
    pub cur: aws_sdk_costandusagereport::Client,
    /// Organizations.
    pub organizations: aws_sdk_organizations::Client,
    /// Service Quotas.
    pub quotas: aws_sdk_servicequotas::Client,
    /// The clusters' own APIs.
    pub(crate) kubernetes: Clusters,
    /// Tags of everything in the region.
    pub(crate) tagging: aws_sdk_resourcegroupstagging::Client,
    /// Tags of what has no region.
    pub(crate) tagging_at_home: aws_sdk_resourcegroupstagging::Client,
    /// What was called.
    pub ledger: Ledger,
    /// What keeps calls back that change something.
    pub fence: Fence,
    /// What was let go of.
    pub(crate) released: Released,
    /// What reads share; only in a survey.
    pub(crate) shared: Option<Arc<Shared>>,
}

impl Aws {
    /// Makes the clients. Nothing is sent. They keep to AWS's rates, unless an endpoint is given: what answers there is
    /// not AWS, or says itself what it takes.
    pub fn new(config: &SdkConfig) -> Self {
        let throttle = if config.endpoint_url().is_some() { Throttle::unlimited() } else { Throttle::published() };
        Self::with_throttle(config, &throttle)
    }

    /// The same with these limits.
    pub fn with_throttle(config: &SdkConfig, throttle: &Throttle) -> Self {
        let (ledger, fence) = (Ledger::default(), Fence::default());
        let http = http::client(config, throttle, &fence, &ledger);
        // A request that waits for its turn is not stalled.
        let stalled = StalledStreamProtectionConfig::enabled().upload_enabled(false).build();
        macro_rules! client {
            ($service:ident $(, $region:expr)?) => {{
                let builder = $service::config::Builder::from(config);
                let builder = builder.interceptor(fence.clone()).interceptor(ledger.clone());
                let builder = builder.http_client(http.clone()).stalled_stream_protection(stalled.clone());
                $(let builder = builder.region(Region::new($region));)?
                $service::Client::from_conf(builder.build())
            }};
        }
        Self {
            ec2: client!(aws_sdk_ec2),
            eks: client!(aws_sdk_eks),
            iam: client!(aws_sdk_iam),
            kms: client!(aws_sdk_kms),
            logs: client!(aws_sdk_cloudwatchlogs),
            sts: client!(aws_sdk_sts),
            rds: client!(aws_sdk_rds),
            elasticache: client!(aws_sdk_elasticache),
            dynamodb: client!(aws_sdk_dynamodb),
            s3: client!(aws_sdk_s3),
            secrets: client!(aws_sdk_secretsmanager),
            sns: client!(aws_sdk_sns),
            budgets: client!(aws_sdk_budgets, HOME),
            cost_explorer: client!(aws_sdk_costexplorer, HOME),
            cloudwatch: client!(aws_sdk_cloudwatch),
            elb: client!(aws_sdk_elasticloadbalancingv2),
            classic_elb: client!(aws_sdk_elasticloadbalancing),
            autoscaling: client!(aws_sdk_autoscaling),
            scaling: client!(aws_sdk_applicationautoscaling),
            athena: client!(aws_sdk_athena),
            glue: client!(aws_sdk_glue),
            cur: client!(aws_sdk_costandusagereport, HOME),
            organizations: client!(aws_sdk_organizations),
            quotas: client!(aws_sdk_servicequotas),
            kubernetes: Clusters::new(config, ledger.clone(), fence.clone()),
            tagging: client!(aws_sdk_resourcegroupstagging),
            tagging_at_home: client!(aws_sdk_resourcegroupstagging, HOME),
            ledger,
            fence,
            released: Released::default(),
            shared: None,
        }
    }

    /// A token with which the caller can call a cluster's API. Nothing is sent, except what the credentials themselves need.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn cluster_token(&self, cluster: &str) -> Result<Token, CallError> {
        self.kubernetes.token(cluster).await
    }

    /// The caller's account, for what can only be listed by account.
    pub(crate) async fn account(&self) -> Result<String, CallError> {
        let answer = self.sts.get_caller_identity().send().await.sent()?;
        answer.account.ok_or_else(|| CallError::malformed("sts:GetCallerIdentity", "Account"))
    }
}

/// What this process let go of though AWS goes on showing it: a subscription that nobody confirmed, a monitor of somebody
/// else's. Deleting such a thing has no effect that a read could see, so it is remembered until it is made again. A
/// process that was cut off in between deletes it again, which does no harm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Released(Arc<Mutex<BTreeSet<Id>>>);

impl Released {
    /// From now on it counts as gone.
    pub(crate) fn release(&self, id: &Id) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    }

    /// It is wanted again.
    pub(crate) fn claim(&self, id: &Id) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Whether it counts as gone.
    pub(crate) fn holds(&self, id: &Id) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}
