//! The manager image with the real program, used the way that deployed CI uses it.

use std::process::Command;

use caur_core::model::JobState;
use caur_tests::{Farm, FarmOptions, SOURCE, TARGET, caur_daemon, engine_socket, repository_root, run};

/// The image; removed when dropped.
struct Image(String);

impl Drop for Image {
    fn drop(&mut self) {
        // The next run makes it anew in any case.
        let _gone = docker(&["image", "rm", "-f", &self.0]).output();
    }
}

fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command
        .args(["-H", &format!("unix://{}", engine_socket().display())])
        .args(arguments);
    command
}

/// The image that the build image stands on; it has the programs that the manager image needs.
async fn base_image() -> String {
    let mut command = Command::new("bash");
    command
        .args(["-c", "source scripts/lib/image.sh && image_base_tag"])
        .current_dir(repository_root());
    run(command, "").await.expect(0).stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn ci_schedules_with_the_manager_image() {
    // Asked for here, so that its absence is told before there is anything to clean up.
    let _required = engine_socket();
    let farm = Farm::make(FarmOptions {
        ssh: true,
        ..FarmOptions::default()
    })
    .await;
    let _database = farm.database().await;

    let context = farm.path().join("context");
    std::fs::create_dir(&context).unwrap();
    std::fs::copy(caur_daemon(), context.join("caur-daemon")).unwrap();
    // Symbols make up most of a debug build.
    let mut strip = Command::new("strip");
    strip.arg(context.join("caur-daemon"));
    let _ = run(strip, "").await.expect(0);
    let image = Image(farm.builder_name("caur-manager").to_lowercase());
    let file = repository_root().join("packaging/docker/manager.Dockerfile");
    let build = docker(&[
        "build",
        "-q",
        "--network",
        "none",
        "--build-arg",
        &format!("BASE={}", base_image().await),
        "--build-arg",
        "BINARY=caur-daemon",
        "-t",
        &image.0,
        "-f",
        &file.to_string_lossy(),
        &context.to_string_lossy(),
    ]);
    let _ = run(build, "").await.expect(0);

    // As in deployed CI: the key goes to /app/sshkey, the tunnel's settings come from the environment, the tree from
    // the checked-out project.
    let project = farm.path().join("project");
    std::fs::create_dir_all(project.join(".ci")).unwrap();
    std::fs::write(project.join(".ci/deptree.txt"), "top:top:below;below:below:\n").unwrap();
    let key = std::fs::read_to_string(farm.sshd.as_ref().unwrap().client_key()).unwrap();
    let script = "printf '%s\\n' \"$DEPLOYMENT_KEY\" >/app/sshkey && chmod 600 /app/sshkey && exec /entry_point.sh \"$@\"";
    let mount = format!("{}:/builds/project", project.display());
    let mut start = docker(&[
        "run",
        "--rm",
        "--network",
        "host",
        "-v",
        &mount,
        "--entrypoint",
        "bash",
    ]);
    let mut environment = farm.builder_redis_environment();
    environment.retain(|(name, _)| *name != "REDIS_SSH_KEY");
    environment.push(("DEPLOYMENT_KEY", key));
    environment.push(("CI_PROJECT_DIR", "/builds/project".to_owned()));
    for (name, value) in environment {
        start.env(name, value).args(["-e", name]);
    }
    start.args([&image.0, "-c", script, "bash", "schedule", "--arch", "x86_64"]);
    start.args(["--target-repo", TARGET, "--source-repo", SOURCE]);
    start.args([
        "--commit",
        "0123456789012345678901234567890123456789:815",
        "top",
        "below",
    ]);
    let said = run(start, "").await.expect(0);
    assert!(
        said.stdout.starts_with("PACKAGE  CLASS  RESULT  JOB\n"),
        "{}",
        said.stdout
    );
    assert_eq!(farm.job("top").await.unwrap().state, JobState::Waiting);
    assert_eq!(farm.job("below").await.unwrap().state, JobState::Ready);

    let status = docker(&["run", "--rm", "--network", "none", &image.0, "schedule", "a"]);
    run(status, "").await.expect(1).says(&["cannot reach Redis"]);
}
