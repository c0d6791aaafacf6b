//! Finds the container engine: Docker's HTTP interface on a Unix socket.

use std::path::{Path, PathBuf};

use bollard::{API_DEFAULT_VERSION, Docker};

use super::BuildError;
use crate::config::{ContainerSettings, Engine};

/// Seconds that the engine may take to begin its answer.
const ANSWER_SECONDS: u64 = 120;

/// Connects to the engine of `settings`, in the version of the interface that it speaks. `environment` looks
/// up the variables that name an engine's socket.
///
/// # Errors
/// [`BuildError::NoEngine`] with every socket that was tried.
pub(super) async fn connect(
    settings: &ContainerSettings,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Docker, BuildError> {
    let mut tried = Vec::new();
    for socket in candidates(settings, environment) {
        match try_socket(&socket).await {
            Ok(docker) => return Ok(docker),
            Err(why) => tried.push(format!("{} ({why})", socket.display())),
        }
    }
    let (engine, package) = match settings.engine {
        Engine::Docker => ("Docker", "docker.io (Debian) or docker (Arch)"),
        Engine::Podman => ("Podman", "podman (with its podman.socket service)"),
    };
    Err(BuildError::NoEngine {
        engine,
        tried: tried.join(", "),
        package,
    })
}

/// The engine's name and version, for people.
pub(super) async fn describe(docker: &Docker, engine: Engine) -> String {
    let name = match engine {
        Engine::Docker => "Docker",
        Engine::Podman => "Podman",
    };
    let version = docker.version().await.ok().and_then(|about| about.version);
    format!("{name} {}", version.as_deref().unwrap_or("of unknown version"))
}

/// An explicit socket stands alone; otherwise the environment's, then the usual places.
fn candidates(settings: &ContainerSettings, environment: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    if let Some(socket) = &settings.socket {
        return vec![socket.clone()];
    }
    let (variable, places, below_runtime) = match settings.engine {
        Engine::Docker => (
            "DOCKER_HOST",
            ["/var/run/docker.sock", "/run/docker.sock"].as_slice(),
            "docker.sock",
        ),
        Engine::Podman => (
            "CONTAINER_HOST",
            ["/run/podman/podman.sock"].as_slice(),
            "podman/podman.sock",
        ),
    };
    let named = environment(variable).and_then(|host| host.strip_prefix("unix://").map(PathBuf::from));
    let runtime = environment("XDG_RUNTIME_DIR").map(|directory| Path::new(&directory).join(below_runtime));
    named
        .into_iter()
        .chain(places.iter().map(PathBuf::from))
        .chain(runtime)
        .collect()
}

async fn try_socket(socket: &Path) -> Result<Docker, String> {
    // A look at the file first: the client's own error does not tell a missing file from a forbidden one.
    std::os::unix::net::UnixStream::connect(socket).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "permission denied; add this user to the socket's group, usually docker".to_owned()
        }
        std::io::ErrorKind::ConnectionRefused => "nobody answers; start its service".to_owned(),
        _ => error.to_string(),
    })?;
    let docker = Docker::connect_with_unix(&socket.to_string_lossy(), ANSWER_SECONDS, API_DEFAULT_VERSION)
        .map_err(|error| error.to_string())?;
    docker
        .negotiate_version()
        .await
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(engine: Engine, socket: Option<&str>, environment: &[(&str, &str)]) -> Vec<String> {
        let settings = ContainerSettings {
            engine,
            socket: socket.map(PathBuf::from),
        };
        let look_up = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        candidates(&settings, look_up)
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn an_explicit_socket_stands_alone() {
        let environment = [("DOCKER_HOST", "unix:///other.sock")];
        assert_eq!(paths(Engine::Docker, Some("/a.sock"), &environment), ["/a.sock"]);
    }

    #[test]
    fn the_environment_goes_before_the_usual_places() {
        let environment = [
            ("DOCKER_HOST", "unix:///d.sock"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
        ];
        assert_eq!(
            paths(Engine::Docker, None, &environment),
            [
                "/d.sock",
                "/var/run/docker.sock",
                "/run/docker.sock",
                "/run/user/1/docker.sock"
            ]
        );
        assert_eq!(
            paths(Engine::Podman, None, &environment),
            ["/run/podman/podman.sock", "/run/user/1/podman/podman.sock"]
        );
        let remote = [("DOCKER_HOST", "tcp://elsewhere:2375")];
        assert_eq!(
            paths(Engine::Docker, None, &remote),
            ["/var/run/docker.sock", "/run/docker.sock"]
        );
    }

    #[tokio::test]
    async fn a_missing_engine_names_sockets_and_packages() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        let settings = ContainerSettings {
            engine: Engine::Docker,
            socket: Some(socket.clone()),
        };
        let error = connect(&settings, |_| None).await.unwrap_err().to_string();
        for part in [
            &*socket.to_string_lossy(),
            "No such file",
            "docker.io",
            "container.socket",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let settings = ContainerSettings {
            engine: Engine::Podman,
            socket: Some(socket),
        };
        let error = connect(&settings, |_| None).await.unwrap_err().to_string();
        assert!(error.contains("podman.socket"), "{error}");
    }

    #[tokio::test]
    async fn a_socket_without_a_service_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let settings = ContainerSettings {
            engine: Engine::Docker,
            socket: Some(socket),
        };
        let error = connect(&settings, |_| None).await.unwrap_err().to_string();
        assert!(error.contains("start its service"), "{error}");
    }
}
