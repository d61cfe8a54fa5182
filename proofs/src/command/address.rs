//! Addresses as users write them: an IP address or a name, and a port.

use std::net::{SocketAddr, ToSocketAddrs};

/// The address, its name resolved. Of several, the first of version 4 is taken: what listens there is reached by the
/// same name.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let Some((_, port)) = text.rsplit_once(':') else {
        return Err("no port; expected HOST:PORT, such as localhost:3000".to_owned());
    };
    if port.parse::<u16>().is_err() {
        return Err(format!("found `{port}` as the port; expected a number from 0 to 65535, where 0 is any free one"));
    }
    let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| "the name has no address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_and_what_is_none_is_refused() {
        assert_eq!(address("localhost:80"), Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert_eq!(address("[::1]:0").map(|it| it.to_string()), Ok("[::1]:0".to_owned()));
        for (text, expected) in [("localhost", "HOST:PORT"), ("localhost:http", "`http`"), ("localhost:70000", "65535")]
        {
            assert!(address(text).is_err_and(|why| why.contains(expected)), "{text}");
        }
    }
}
