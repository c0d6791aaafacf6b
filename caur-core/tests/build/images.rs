//! Where the build image comes from, with a registry of the test's own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bollard::query_parameters::RemoveImageOptions;
use caur_core::model::BuildOutcome;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::farm::{Farm, docker, unique};

const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_nowhere_is_not_the_packages_fault() {
    let farm = Farm::new().await;
    farm.push("builds", "x");
    for (image, words) in [
        (
            "127.0.0.1:1/nothing",
            ["127.0.0.1:1/nothing", "pulling it failed", "correct the name"],
        ),
        (
            "",
            ["none is configured", "BUILDER_IMAGE", "database.builder_image"],
        ),
    ] {
        let mut order = farm.order("builds");
        order.image = image.to_owned();
        let (report, _) = farm.run(&order).await;
        assert_eq!(report.outcome, BuildOutcome::Infrastructure);
        let reason = report.reason.unwrap();
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builders_own_image_takes_the_place_of_the_published_one() {
    let image = Farm::new().await.image;
    let farm = Farm::with(|settings| settings.image = Some(image)).await;
    farm.push("builds", "x");
    let mut order = farm.order("builds");
    order.image = "127.0.0.1:1/nothing".to_owned();
    assert_eq!(farm.run(&order).await.0.outcome, BuildOutcome::Built);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_from_a_registry_is_pulled_when_missing_or_old() {
    let registry = Registry::start();
    let farm = Farm::new().await;
    farm.push("builds", "x");
    let build = async |farm: &Farm| {
        let mut order = farm.order("builds");
        order.source.url = farm.source.display().to_string();
        order.image.clone_from(&registry.image);
        let (report, log) = farm.run(&order).await;
        // There is nothing to run in the image, which is no fault of the package's either.
        assert_eq!(report.outcome, BuildOutcome::Infrastructure);
        assert!(report.reason.unwrap().contains("is the image a build image?"));
        assert!(report.image.unwrap().starts_with("sha256:"));
        String::from_utf8_lossy(&log).into_owned()
    };

    let log = build(&farm).await;
    assert!(log.contains("is not on this machine: pulling it"), "{log}");
    assert!(
        log.contains(": Pull complete\n") && !log.contains("Downloading"),
        "{log}"
    );
    let asked = registry.asked.load(Ordering::SeqCst);
    assert!(asked > 0);

    let log = build(&farm).await;
    assert!(!log.contains("pulling") && !log.contains("newer image"), "{log}");
    assert_eq!(
        registry.asked.load(Ordering::SeqCst),
        asked,
        "a fresh image is used as it is"
    );

    let eager = Farm::with(|settings| settings.image_refresh = 0).await;
    eager.push("builds", "x");
    let log = build(&eager).await;
    assert!(
        log.contains("looking for a newer image") && log.contains("up to date"),
        "{log}"
    );
    assert!(registry.asked.load(Ordering::SeqCst) > asked);

    registry.broken.store(true, Ordering::SeqCst);
    let log = build(&eager).await;
    assert!(log.contains("the present one is used"), "{log}");

    docker()
        .remove_image(&registry.image, None::<RemoveImageOptions>, None)
        .await
        .unwrap();
}

/// A registry that holds one image of one small layer.
struct Registry {
    image: String,
    /// How often the image's manifest was asked for.
    asked: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
}

impl Registry {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let image = format!("{}/caur-pull-test", listener.local_addr().unwrap());
        let (asked, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, fail) = (asked.clone(), broken.clone());
        let content = content();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&stream.unwrap(), &content, &count, &fail);
            }
        });
        Self { image, asked, broken }
    }
}

/// Type and body of everything that the registry serves, by the last part of its address.
fn content() -> BTreeMap<String, (&'static str, Vec<u8>)> {
    let mut layer = tar::Builder::new(Vec::new());
    let text = unique().to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    layer.append_data(&mut header, "file", text.as_bytes()).unwrap();
    let layer = layer.into_inner().unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&layer).unwrap();
    let packed = packed.finish().unwrap();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": { "Entrypoint": ["/entry_point.sh"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = serde_json::to_vec(&config).unwrap();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(),
            "digest": digest(&config),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": packed.len(),
            "digest": digest(&packed),
        }],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    BTreeMap::from([
        (digest(&config), ("application/octet-stream", config)),
        (digest(&packed), ("application/octet-stream", packed)),
        (digest(&manifest), (MANIFEST_TYPE, manifest.clone())),
        ("latest".to_owned(), (MANIFEST_TYPE, manifest)),
        ("v2".to_owned(), ("application/json", b"{}".to_vec())),
    ])
}

fn answer(
    stream: &TcpStream,
    content: &BTreeMap<String, (&'static str, Vec<u8>)>,
    asked: &AtomicUsize,
    broken: &AtomicBool,
) {
    let mut lines = BufReader::new(stream).lines();
    let Some(Ok(request)) = lines.next() else { return };
    // The rest of the request's head has to be read before the connection may be closed.
    for line in lines {
        if line.unwrap().is_empty() {
            break;
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap_or_default());
    if path.contains("/manifests/") {
        asked.fetch_add(1, Ordering::SeqCst);
    }
    let found = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .and_then(|name| content.get(name));
    let (status, kind, body) = match found {
        _ if broken.load(Ordering::SeqCst) => ("503 Service Unavailable", "text/plain", [].as_slice()),
        Some((kind, body)) => ("200 OK", *kind, body.as_slice()),
        None => ("404 Not Found", "text/plain", [].as_slice()),
    };
    let mut stream = stream;
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\nConnection: close\r\n\r\n",
        body.len(),
        digest(body)
    );
    stream.write_all(head.as_bytes()).unwrap();
    if method != "HEAD" {
        stream.write_all(body).unwrap();
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
