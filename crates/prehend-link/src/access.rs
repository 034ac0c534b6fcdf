//! Turns a role into zenoh's access rules: nothing passes but what the two roles of a connection share.
//!
//! Both ends apply them to both directions, by the common name of the other end's certificate. The id of a
//! zenoh session is no identity: anybody can choose it.

use serde_json::{Value, json};

use crate::{Role, Topic, presence};

/// The rules of one process, for zenoh's `access_control`.
pub(crate) fn rules(robot: &str, own: Role) -> Value {
    let (mut rules, mut subjects, mut policies) = (Vec::new(), Vec::new(), Vec::new());
    for other in Role::ALL {
        let heard = shared(other.may_send(), own.may_hear());
        let sent = shared(own.may_send(), other.may_hear());
        let keys = |topics: &[Topic]| -> Vec<String> {
            topics.iter().map(|topic| topic.key(robot)).collect()
        };
        let tokens = |who: Role| presence::keys_of(robot, who.may_send(), who.may_hear());
        let everybody = vec![presence::key_of_all(robot)];
        let mut ids = Vec::new();
        for (flow, message, key_exprs) in [
            ("ingress", "put", keys(&heard)),
            ("egress", "put", keys(&sent)),
            ("ingress", "declare_subscriber", keys(&sent)),
            ("egress", "declare_subscriber", keys(&heard)),
            ("ingress", "liveliness_token", tokens(other)),
            ("egress", "liveliness_token", tokens(own)),
            ("ingress", "liveliness_query", everybody.clone()),
            ("egress", "liveliness_query", everybody.clone()),
            (
                "ingress",
                "declare_liveliness_subscriber",
                everybody.clone(),
            ),
            ("egress", "declare_liveliness_subscriber", everybody),
        ] {
            // zenoh takes no rule about nothing.
            if key_exprs.is_empty() {
                continue;
            }
            let id = format!("{other} {flow} {message}");
            rules.push(json!({
                "id": id,
                "permission": "allow",
                "flows": [flow],
                "messages": [message],
                "key_exprs": key_exprs,
            }));
            ids.push(id);
        }
        let name = other.name();
        subjects
            .push(json!({ "id": name, "cert_common_names": [name], "link_protocols": ["tls"] }));
        policies.push(json!({ "rules": ids, "subjects": [name] }));
    }
    json!({
        "enabled": true,
        "default_permission": "deny",
        "rules": rules,
        "subjects": subjects,
        "policies": policies,
    })
}

fn shared(sends: &[Topic], hears: &[Topic]) -> Vec<Topic> {
    let both = sends.iter().filter(|topic| hears.contains(topic));
    both.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(own: Role, other: Role, flow: &str, message: &str) -> Vec<String> {
        let rules = rules("fr3", own);
        let id = format!("{other} {flow} {message}");
        let rule = rules["rules"].as_array().expect("a list").iter();
        let rule = rule.into_iter().find(|rule| rule["id"] == id.as_str());
        let keys = rule.map(|rule| serde_json::from_value(rule["key_exprs"].clone()));
        keys.map_or_else(Vec::new, |keys| keys.expect("keys"))
    }

    #[test]
    fn the_driver_takes_commands_from_the_controller_alone() {
        let takes = |other| allowed(Role::Driver, other, "ingress", "put");
        let key = Topic::Command.key("fr3");
        for other in Role::ALL {
            assert_eq!(
                takes(other).contains(&key),
                other == Role::Controller,
                "{other}"
            );
        }
        assert_eq!(takes(Role::Viewer), [Topic::Stop.key("fr3")]);
        assert!(takes(Role::Driver).is_empty());
    }

    #[test]
    fn nothing_is_known_by_what_anybody_can_choose() {
        let rules = rules("fr3", Role::Driver);
        assert_eq!(rules["default_permission"], "deny");
        for subject in rules["subjects"].as_array().expect("a list") {
            assert_eq!(subject["cert_common_names"], json!([subject["id"]]));
            assert!(subject.get("zids").is_none() && subject.get("interfaces").is_none());
        }
        let text = rules.to_string();
        for message in ["query\"", "reply", "declare_queryable", "delete"] {
            let message = format!("\"{message}");
            assert!(!text.contains(&message), "{message} is nobody's");
        }
    }
}
