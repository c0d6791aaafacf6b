//! The claim policy on the graph of a real collection, in virtual time, beside a lower bound and simpler policies.
//!
//! `cargo bench -p caur-tests --bench simulate`; ends with 1 when a bar is missed.

use std::process::ExitCode;
use std::time::Instant;

use caur_core::ci::DepTree;
use caur_core::queue::plan::plan;
use caur_core::queue::simulate::forecast;
use caur_tests::simulation::{Farms, Figures, Knowledge, RULES, Samples, Workload, compare};

const BUILDERS: [usize; 4] = [2, 8, 32, 128];
const ROUNDS: u64 = 20;
const MAKESPAN_BAR: f64 = 1.05;

fn main() -> ExitCode {
    let workload = Workload::load();
    if !workload.real {
        println!("a generated graph of the same size stands in for it");
    }
    println!("{} packages\n", workload.requests.len());
    measure_time(&workload);
    let mut missed = 0;
    for (farms, knowledge) in [
        (Farms::Equal, Knowledge::Learned),
        (Farms::Classes, Knowledge::Learned),
        (Farms::ClassesAndSpeeds, Knowledge::Learned),
        (Farms::Equal, Knowledge::Cold),
        (Farms::ClassesAndSpeeds, Knowledge::Cold),
    ] {
        let known = match knowledge {
            Knowledge::Learned => "learned durations",
            Knowledge::Cold => "no durations known",
        };
        println!("\n{farms}, {known}, {ROUNDS} rounds");
        println!(
            "{:>8} {:<16} {:>21}   {:>21}",
            "builders", "", "makespan / bound", "flow / first come"
        );
        println!(
            "{:>8} {:<16} {:>10} {:>10}   {:>10} {:>10}",
            "", "policy", "95th", "worst", "mean", "95th"
        );
        for builders in BUILDERS {
            let (figures, clairvoyant) = compare(&workload, farms, knowledge, builders, ROUNDS);
            for (rule, figures) in RULES.iter().zip(figures.values()) {
                line(builders, &format!("{rule:?}"), figures);
            }
            println!(
                "{builders:>8} {:<16} {:>10.3} {:>10.3}",
                "clairvoyant",
                clairvoyant.p95(),
                clairvoyant.worst()
            );
            if knowledge == Knowledge::Learned {
                missed += judge(farms, builders, &figures[&0], &clairvoyant);
            }
        }
    }
    println!("\n{missed} bars missed");
    ExitCode::from(u8::from(missed > 0))
}

fn line(builders: usize, rule: &str, figures: &Figures) {
    println!(
        "{builders:>8} {rule:<16} {:>10.3} {:>10.3}   {:>10.3} {:>10.3}",
        figures.makespan.p95(),
        figures.makespan.worst(),
        figures.flow.mean(),
        figures.flow.p95()
    );
}

/// How many bars are missed, and which.
fn judge(farms: Farms, builders: usize, figures: &Figures, clairvoyant: &Samples) -> u32 {
    let flow = if builders < 128 { 0.60 } else { 0.82 };
    let mut bars = vec![("makespan, 95th", figures.makespan.p95(), MAKESPAN_BAR)];
    if farms == Farms::Equal {
        bars.push(("flow, mean", figures.flow.mean(), flow));
    }
    let mut missed = 0;
    for (what, value, bar) in bars {
        let passed = value <= bar;
        println!(
            "{:>8} {} {what}: {value:.3}, bar {bar}",
            "",
            if passed { "pass" } else { "FAIL" }
        );
        missed += u32::from(!passed);
    }
    let _ = clairvoyant;
    missed
}

fn measure_time(workload: &Workload) {
    let begin = Instant::now();
    let tree = DepTree::parse(&workload.tree);
    println!(
        "tree of {} bytes and {} packages read in {:.1?}",
        workload.tree.len(),
        tree.map_or(0, |tree| tree.entries.len()),
        begin.elapsed()
    );
    let begin = Instant::now();
    let plan = plan(&workload.requests, &[], |_| None);
    let edges: usize = plan.jobs.iter().map(|job| job.deps.len()).sum();
    println!("planned with {edges} edges in {:.1?}", begin.elapsed());
    for edge in &plan.broken {
        println!(
            "  cut: {} does not wait for {} ({:?}, {})",
            edge.dependant,
            edge.dependency,
            edge.kind,
            edge.names.join(" ")
        );
    }
    let _ = forecast;
}
