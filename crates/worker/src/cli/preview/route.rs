//! What a request of the preview's page means. Everything is below a token, and only this machine's own address is answered.

use std::net::SocketAddr;

use hyper::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Page,
    /// A state that comes after this version.
    State {
        after: u64,
    },
    Frame {
        version: u64,
        index: u32,
    },
    Sound {
        version: u64,
    },
    Render,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Another host's name leads here, or another page asks.
    Foreign,
    Unknown,
}

/// What is known of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) origin: Option<&'a str>,
}

pub(super) fn route(asked: Asked<'_>, address: SocketAddr, token: &str) -> Result<Route, Refused> {
    let Asked { method, path, host, origin } = asked;
    let authority = address.to_string();
    let own_origin = format!("http://{authority}");
    if host != Some(&authority) || origin.is_some_and(|origin| origin != own_origin) {
        return Err(Refused::Foreign);
    }
    let mut parts = path.trim_start_matches('/').split('/');
    if parts.next() != Some(token) {
        return Err(Refused::Unknown);
    }
    let parts: Vec<&str> = parts.collect();
    let route = match (method.as_str(), parts.as_slice()) {
        ("GET", [""]) => Some(Route::Page),
        ("GET", ["state", after]) => after.parse().ok().map(|after| Route::State { after }),
        ("GET", ["frame", version, index]) => version
            .parse()
            .ok()
            .zip(index.strip_suffix(".png").and_then(|index| index.parse().ok()))
            .map(|(version, index)| Route::Frame { version, index }),
        ("GET", ["sound", version]) => version.parse().ok().map(|version| Route::Sound { version }),
        ("POST", ["render"]) => Some(Route::Render),
        _ => None,
    };
    route.ok_or(Refused::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whoever_has_the_token_and_asks_this_machine_s_own_address_is_answered() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4000));
        let ask = |method: &str, path: &str, host: &str, origin: Option<&str>| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            route(Asked { method: &method, path, host: Some(host), origin }, address, "secret")
        };
        let here = "127.0.0.1:4000";
        for (method, path, expected) in [
            ("GET", "/secret/", Ok(Route::Page)),
            ("GET", "/secret/state/7", Ok(Route::State { after: 7 })),
            ("GET", "/secret/frame/3/45.png", Ok(Route::Frame { version: 3, index: 45 })),
            ("GET", "/secret/sound/3", Ok(Route::Sound { version: 3 })),
            ("POST", "/secret/render", Ok(Route::Render)),
            ("GET", "/secret/render", Err(Refused::Unknown)),
            ("GET", "/secret/frame/3/-1.png", Err(Refused::Unknown)),
            ("GET", "/secret", Err(Refused::Unknown)),
            ("GET", "/", Err(Refused::Unknown)),
            ("GET", "/secre/", Err(Refused::Unknown)),
            ("GET", "/secret/../x", Err(Refused::Unknown)),
        ] {
            assert_eq!(ask(method, path, here, None), expected, "{method} {path}");
        }
        assert_eq!(ask("GET", "/secret/", "evil.example:4000", None), Err(Refused::Foreign));
        assert_eq!(ask("GET", "/secret/", "localhost:4000", None), Err(Refused::Foreign));
        let foreign = ask("POST", "/secret/render", here, Some("http://evil.example"));
        assert_eq!(foreign, Err(Refused::Foreign));
        let own = ask("POST", "/secret/render", here, Some("http://127.0.0.1:4000"));
        assert_eq!(own, Ok(Route::Render));
    }
}
