//! The VPC's address range and the subnets cut from it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::values::{Why, cidr, value};

/// A slot is 1/32 of the VPC at most, so that the last tier and its gap fit.
const SLOT_BITS: u8 = 5;

/// Slots are no larger than this: 251 usable addresses.
const LARGEST_SLOT: u8 = 24;

/// What may be behind a NAT gateway: RFC 1918, and RFC 6598 for carriers.
const PRIVATE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
];

value! {
    /// The private address range of a VPC, large enough for all subnets: /16 to /22.
    ///
    /// AWS allows no more than a /16. A /22 is the smallest that gives every subnet the /27 that a load balancer asks
    /// for (Elastic Load Balancing user guide, "Subnets for your load balancer").
    VpcCidr(Ipv4Net) {
        format: "vpc-cidr",
        noun: "the address range of a VPC",
        rule: "a private IPv4 range from /16 to /22",
        example: "10.0.0.0/16",
        parse: parse,
    }
}

impl VpcCidr {
    pub(super) const DEFAULT: Self = Self(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 16));

    /// The range.
    pub const fn net(&self) -> Ipv4Net {
        self.0
    }
}

fn parse(text: &str) -> Result<Ipv4Net, Why> {
    if text.parse::<Ipv4Addr>().is_ok() {
        return Err(Why::new("it is one address without a length"));
    }
    let net = cidr(text)?;
    if net.prefix_len() < 16 {
        let smaller = Ipv4Net::new(net.addr(), 16).unwrap_or(net);
        return Err(Why::new("AWS allows no more than the 65,536 addresses of a /16 in one range")
            .help(format!("write a smaller range, for example `{smaller}`")));
    }
    if net.prefix_len() > 22 {
        return Err(Why::new(format!(
            "{} addresses are too few for the subnets: the load balancer's need a /27, and a /22 is the smallest that \
             holds them all",
            1_u64 << (32 - net.prefix_len())
        ))
        .help("write a range from /16 to /22, for example `10.0.0.0/16`"));
    }
    if !PRIVATE.iter().any(|private| private.contains(&net)) {
        return Err(Why::new("these addresses belong to somebody on the internet, who could not be reached any more")
            .help("take a range from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10"));
    }
    Ok(net)
}

/// The subnets of every tier, one per zone and in the zones' order.
///
/// The VPC is divided into slots: /24, or 1/32 of the VPC where that is smaller (a /20 has /25 slots, a /22 has /27).
/// By default public subnets take the slots from 1, app subnets from 11, data subnets from 21, so that 10.0.0.0/16 gives
/// 10.0.1.0/24, 10.0.11.0/24 and 10.0.21.0/24 in the first zone. The gaps are for zones to come: adding one moves no subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetPlan {
    /// Subnets with a route to the internet gateway.
    pub public: Vec<Ipv4Net>,
    /// Private subnets with a route to a NAT gateway.
    pub app: Vec<Ipv4Net>,
    /// Private subnets with no route to the internet.
    pub data: Vec<Ipv4Net>,
}

/// The first slot of each tier; the slots after it are for the further zones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    pub(super) public: u8,
    pub(super) app: u8,
    pub(super) data: u8,
}

impl SubnetPlan {
    /// Divides the range among `zones` zones. Every slot up to the last one has to be less than [`slots`].
    pub(super) fn new(cidr: &VpcCidr, zones: u8, first: Slots) -> Self {
        let VpcCidr(net) = *cidr;
        let prefix = slot_prefix(net);
        let slot = |number: u8| {
            let address = u32::from(net.network()) + (u32::from(number) << (32 - prefix));
            Ipv4Net::new_assert(Ipv4Addr::from(address), prefix)
        };
        let tier = |first: u8| (0..zones).map(|zone| slot(first.saturating_add(zone))).collect();
        Self { public: tier(first.public), app: tier(first.app), data: tier(first.data) }
    }
}

fn slot_prefix(net: Ipv4Net) -> u8 {
    LARGEST_SLOT.max(net.prefix_len() + SLOT_BITS)
}

/// How many slots a range has: 32 to 256.
pub(super) fn slots(cidr: &VpcCidr) -> u16 {
    let VpcCidr(net) = *cidr;
    1 << (slot_prefix(net) - net.prefix_len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Slots = Slots { public: 1, app: 11, data: 21 };

    fn plan(text: &str, zones: u8) -> SubnetPlan {
        SubnetPlan::new(&text.parse().expect("a VPC's range"), zones, FIRST)
    }

    fn texts(nets: &[Ipv4Net]) -> Vec<String> {
        nets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_gives_the_reference_subnets() {
        let plan = SubnetPlan::new(&VpcCidr::DEFAULT, 2, FIRST);
        assert_eq!(texts(&plan.public), ["10.0.1.0/24", "10.0.2.0/24"]);
        assert_eq!(texts(&plan.app), ["10.0.11.0/24", "10.0.12.0/24"]);
        assert_eq!(texts(&plan.data), ["10.0.21.0/24", "10.0.22.0/24"]);
    }

    #[test]
    fn small_ranges_have_smaller_slots() {
        assert_eq!(texts(&plan("10.1.32.0/19", 1).data), ["10.1.53.0/24"]);
        assert_eq!(texts(&plan("192.168.16.0/20", 1).data), ["192.168.26.128/25"]);
        assert_eq!(texts(&plan("100.64.4.0/22", 3).public), ["100.64.4.32/27", "100.64.4.64/27", "100.64.4.96/27"]);
    }

    #[test]
    fn subnets_lie_in_the_range_and_apart() {
        for prefix in 16..=22 {
            for zones in [2, 3, 10] {
                let vpc: VpcCidr = format!("10.64.0.0/{prefix}").parse().expect("a VPC's range");
                let plan = SubnetPlan::new(&vpc, zones, FIRST);
                let all: Vec<_> = [plan.public, plan.app, plan.data].concat();
                for (index, subnet) in all.iter().enumerate() {
                    assert!(vpc.net().contains(subnet), "{subnet} is not in {vpc}");
                    assert!(subnet.prefix_len() <= 27, "{subnet} is too small for a load balancer");
                    let others = &all[index + 1..];
                    assert!(!others.iter().any(|other| other.contains(subnet) || subnet.contains(other)));
                }
            }
        }
    }

    #[test]
    fn a_range_has_32_slots_or_those_of_a_24() {
        let slots = |text: &str| super::slots(&text.parse().expect("a VPC's range"));
        assert_eq!([slots("10.0.0.0/16"), slots("10.0.0.0/18"), slots("10.0.0.0/19")], [256, 64, 32]);
        assert_eq!([slots("10.0.0.0/20"), slots("10.0.0.0/22")], [32, 32]);
    }

    #[test]
    fn a_zone_more_moves_no_subnet() {
        let (two, three) = (plan("10.0.0.0/21", 2), plan("10.0.0.0/21", 3));
        assert_eq!(two.app[..], three.app[..2]);
        assert_eq!(two.data[..], three.data[..2]);
    }
}
