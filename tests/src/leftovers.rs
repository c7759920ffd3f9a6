//! What the controllers in a cluster make in its VPC, made by boto3 as they would.

use crate::{Cloud, JsonExt};
use serde_json::{Value, json};

/// An owner: the tag that a controller sets on what it makes for a cluster.
fn tag(key: &str, value: &str) -> Value {
    json!([{"Key": key, "Value": value}])
}

fn tagged(resource: &str, tags: &Value) -> Value {
    json!([{"ResourceType": resource, "Tags": tags}])
}

impl Cloud {
    /// What a cluster of this name leaves in these subnets of a VPC: a load balancer of the AWS Load Balancer Controller with
    /// its target group and two groups whose rules name each other, a classic load balancer of Kubernetes itself with its
    /// group, and a free interface of the network plug-in.
    pub fn leave_behind(&self, cluster: &str, vpc: &str, subnets: &[String]) {
        let controller = tag("elbv2.k8s.aws/cluster", cluster);
        let kubernetes = tag(&format!("kubernetes.io/cluster/{cluster}"), "owned");
        let front = self.group(&format!("k8s-front-{cluster}"), vpc, &controller);
        let back = self.group(&format!("k8s-traffic-{cluster}"), vpc, &controller);
        for (to, from) in [(&front, &back), (&back, &front)] {
            let permission = json!([{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": from}]}]);
            self.ec2("authorize_security_group_ingress", json!({"GroupId": to, "IpPermissions": permission}));
        }
        let balancer = json!({
            "Name": format!("k8s-web-{}", &vpc[vpc.len() - 6..]), "Subnets": subnets, "SecurityGroups": [front, back],
            "Scheme": "internal", "Tags": controller,
        });
        let balancer = self.call("elbv2", "create_load_balancer", balancer)["LoadBalancers"][0].clone();
        let targets = json!({
            "Name": format!("k8s-pods-{}", &vpc[vpc.len() - 6..]), "Protocol": "HTTP", "Port": 8080, "VpcId": vpc,
            "TargetType": "ip", "Tags": controller,
        });
        let targets = self.call("elbv2", "create_target_group", targets)["TargetGroups"][0].clone();
        let forward = json!([{"Type": "forward", "TargetGroupArn": targets["TargetGroupArn"]}]);
        let listener = json!({
            "LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80, "DefaultActions": forward,
        });
        self.call("elbv2", "create_listener", listener);

        let group = self.group(&format!("k8s-elb-{cluster}"), vpc, &kubernetes);
        let port =
            json!([{"Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP", "InstancePort": 30080}]);
        let classic = json!({
            "LoadBalancerName": format!("a{}", &vpc[vpc.len() - 6..]), "Listeners": port, "Subnets": subnets,
            "SecurityGroups": [group], "Tags": kubernetes,
        });
        self.call("elb", "create_load_balancer", classic);
        self.leave_interface(cluster, &subnets[0], &back);
    }

    /// A free interface that a cluster's network plug-in made. With its id.
    pub fn leave_interface(&self, cluster: &str, subnet: &str, group: &str) -> String {
        let tags = tagged("network-interface", &tag("cluster.k8s.amazonaws.com/name", cluster));
        let interface = json!({
            "SubnetId": subnet, "Groups": [group], "Description": "aws-K8S-i-0123456789abcdef0", "TagSpecifications": tags,
        });
        self.ec2("create_network_interface", interface)["NetworkInterface"].text("NetworkInterfaceId").to_owned()
    }

    fn group(&self, name: &str, vpc: &str, tags: &Value) -> String {
        let group = json!({
            "GroupName": name, "Description": "[k8s] managed", "VpcId": vpc,
            "TagSpecifications": tagged("security-group", tags),
        });
        self.ec2("create_security_group", group).text("GroupId").to_owned()
    }
}
