//! Addresses of servers, as a user can say them and clients need them: `redis://user:password@host:6379`, or `host:6379`.

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::Url;

/// How addresses of a product's servers begin, and the port that they have where none is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The word before `://`.
    pub word: &'static str,
    /// The port.
    pub port: u16,
}

/// Where a server listens, and as whom clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    url: Url,
    port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadAddress {
    /// It is not written as one.
    #[error("{text:?} is no address: {why}; allowed are HOST, HOST:PORT and {scheme}://USER:PASSWORD@HOST:PORT")]
    NotWritten {
        /// What was found, without a password.
        text: String,
        /// What is wrong with it.
        why: String,
        /// The scheme of the product.
        scheme: &'static str,
    },
    /// It begins with another scheme.
    #[error(
        "addresses that begin with {found}:// are unknown here; known is {scheme}://, without TLS, as faults on the wire need \
         to read it"
    )]
    OtherScheme {
        /// What was found.
        found: String,
        /// The scheme of the product.
        scheme: &'static str,
    },
}

impl Address {
    /// The address that this text says.
    pub fn parse(text: &str, scheme: Scheme) -> Result<Address, BadAddress> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("{}://{text}", scheme.word) };
        let found = with_scheme.split("://").next().unwrap_or_default();
        if found != scheme.word {
            return Err(BadAddress::OtherScheme { found: found.to_owned(), scheme: scheme.word });
        }
        let bad = |why: String| {
            let text = text.rsplit_once('@').map_or(text, |(_, place)| place).to_owned();
            BadAddress::NotWritten { text, why, scheme: scheme.word }
        };
        let mut url = Url::parse(&with_scheme).map_err(|error| bad(error.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("no host is named".to_owned()));
        }
        let port = url.port().unwrap_or(scheme.port);
        url.set_port(Some(port)).map_err(|()| bad("it can have no port".to_owned()))?;
        Ok(Address { url, port })
    }

    /// A server on this machine, at this port of the loopback address.
    pub fn local(scheme: Scheme, port: u16) -> Address {
        let text = format!("{}://127.0.0.1:{port}", scheme.word);
        Address { url: Url::parse(&text).expect("a scheme is a word, and the rest is an address"), port }
    }

    /// The same with this user, password and database, where it says none.
    #[must_use]
    pub fn or(mut self, user: &str, password: Option<&str>, database: &str) -> Address {
        if self.url.username().is_empty() {
            let _ = self.url.set_username(user);
            let _ = self.url.set_password(password);
        }
        if self.database().is_none() {
            self.url.set_path(database);
        }
        self
    }

    /// The same for clients that connect to this port of the loopback address instead.
    #[must_use]
    pub fn through(&self, port: u16) -> Address {
        let mut url = self.url.clone();
        let _ = url.set_host(Some("127.0.0.1"));
        let _ = url.set_port(Some(port));
        Address { url, port }
    }

    /// The whole as a URL, with the password, for clients that take one.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The host, as a name or a number.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user and the password, where a user is said.
    pub fn user(&self) -> Option<(String, String)> {
        let text = |encoded: &str| percent_decode_str(encoded).decode_utf8_lossy().into_owned();
        let user = Some(self.url.username()).filter(|user| !user.is_empty())?;
        Some((text(user), text(self.url.password().unwrap_or_default())))
    }

    /// The database or virtual host, where one is said.
    pub fn database(&self) -> Option<&str> {
        Some(self.url.path().trim_start_matches('/')).filter(|path| !path.is_empty())
    }

    /// Connects, within this time for each of the host's numbers. Reads have no time-out yet, writes have this one.
    pub fn connect(&self, wait: Duration) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in format!("{}:{}", self.host(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, wait) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_write_timeout(Some(wait))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Host and port, without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host(), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIS: Scheme = Scheme { word: "redis", port: 6379 };

    #[track_caller]
    fn check(text: &str, shown: &str, user: Option<(&str, &str)>, database: Option<&str>) {
        let address = Address::parse(text, REDIS).unwrap();
        let owned = |(user, password): (&str, &str)| (user.to_owned(), password.to_owned());
        assert_eq!((address.to_string().as_str(), address.user()), (shown, user.map(owned)), "{text}");
        assert_eq!(address.database(), database, "{text}");
    }

    #[test]
    fn an_address_is_a_host_with_or_without_the_rest() {
        check("localhost", "localhost:6379", None, None);
        check("10.0.0.7:7000", "10.0.0.7:7000", None, None);
        check("[::1]:7000", "[::1]:7000", None, None);
        check("redis://queue.example", "queue.example:6379", None, None);
        check("redis://me:s%40cret@queue.example:7000/2", "queue.example:7000", Some(("me", "s@cret")), Some("2"));
        check("me@queue.example", "queue.example:6379", Some(("me", "")), None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_allowed_and_without_the_password() {
        for (text, says) in [
            ("localhost:seven", "invalid port number; allowed are HOST, HOST:PORT and redis://"),
            ("redis://me:secret@host:99999", "\"host:99999\" is no address: invalid port number"),
            ("", "no host is named"),
            ("rediss://localhost", "begin with rediss:// are unknown here; known is redis://, without TLS"),
        ] {
            let refused = Address::parse(text, REDIS).unwrap_err().to_string();
            assert!(refused.contains(says) && !refused.contains("secret"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_proxy_is_reached_as_the_same_user() {
        let address = Address::parse("redis://me:secret@queue.example:7000/2", REDIS).unwrap().through(1234);
        assert_eq!(address.url(), "redis://me:secret@127.0.0.1:1234/2");
    }
}
