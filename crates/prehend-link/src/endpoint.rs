//! Turns the text of an endpoint into what may be listened on and called, or into what is wrong with it.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use crate::{LinkError, Role};

/// A TCP endpoint on this machine that nobody listened on a moment ago, chosen by the system.
///
/// # Errors
/// [`LinkError::Listen`] if the machine has no free port.
pub fn free_loopback_endpoint() -> Result<String, LinkError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| format!("tcp/{address}"))
        .map_err(|source| LinkError::Listen {
            endpoint: "tcp/127.0.0.1:0".to_owned(),
            source,
        })
}

/// The only protocol that a link speaks.
pub(crate) const fn protocol(is_encrypted: bool) -> &'static str {
    if is_encrypted { "tls" } else { "tcp" }
}

/// Says what is wrong with an endpoint of a link, encrypted for `role` or not at all, and what would be right.
pub(crate) fn check(endpoint: &str, role: Option<Role>, is_listened: bool) -> Result<(), String> {
    let protocol = protocol(role.is_some());
    let Some((used, host, port)) = parts(endpoint) else {
        return Err(format!(
            "{endpoint:?} is not `{protocol}/<address>:<port>`, for example `{protocol}/127.0.0.1:7450`"
        ));
    };
    if used == "tcp" && !is_loopback(host) {
        return Err(format!(
            "{endpoint:?} reaches beyond this machine, unencrypted and open to anybody; use 127.0.0.1, or make \
             certificates with `prehend certs new`, name their folder under [link.tls], and write `tls/…`"
        ));
    }
    if used != protocol {
        return Err(format!(
            "{endpoint:?} is not `{protocol}/…`, as all endpoints of a link {} certificates are",
            if role.is_some() { "with" } else { "without" }
        ));
    }
    match address(host) {
        Some(address) if address.is_unspecified() => {
            return Err(format!(
                "{endpoint:?} is every network of this machine; name the address of one"
            ));
        }
        None if !is_host_name(host) => {
            return Err(format!(
                "{endpoint:?}: {host:?} is neither an address nor a host's name"
            ));
        }
        _ => {}
    }
    if !is_listened && port == 0 {
        return Err(format!("{endpoint:?}: nobody answers on port 0"));
    }
    if let Some(role) = role.filter(|role| is_listened && !role.listens()) {
        return Err(format!(
            "{endpoint:?}: a {role}'s certificate is not good for listening; let it connect instead"
        ));
    }
    Ok(())
}

/// Whether each endpoint can be listened on, so that the error names the one that cannot.
pub(crate) fn probe<'a>(endpoints: impl Iterator<Item = &'a String>) -> Result<(), LinkError> {
    for endpoint in endpoints {
        let Some((_, host, port)) = parts(endpoint) else {
            continue;
        };
        if let Err(source) = TcpListener::bind((host.trim_matches(['[', ']']), port)) {
            let endpoint = endpoint.clone();
            return Err(match source.kind() {
                std::io::ErrorKind::AddrInUse => LinkError::PortTaken { endpoint },
                _ => LinkError::Listen { endpoint, source },
            });
        }
    }
    Ok(())
}

/// Splits `tcp/<host>:<port>` or `tls/<host>:<port>`. zenoh's own options behind `?` and `#` are not
/// accepted: one of them (`bind`, `iface`) could undo the check of the address.
fn parts(endpoint: &str) -> Option<(&str, &str, u16)> {
    let (protocol, address) = endpoint.split_once('/')?;
    if !["tcp", "tls"].contains(&protocol) || address.contains(['?', '#', '/']) {
        return None;
    }
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty()).then_some(())?;
    Some((protocol, host, port.parse().ok()?))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok()?;
    Some(address.to_canonical())
}

/// A name begins with a letter: `0` and `0x0` are addresses to the system, of every network.
fn is_host_name(host: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    host.len() <= 253
        && host.starts_with(|c: char| c.is_ascii_alphabetic())
        && host.chars().all(letters)
}
