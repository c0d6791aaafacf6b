//! What people and scripts browse: `index.html` and `packages.json` of a target. Pure: both are made of the index.
//!
//! The page loads nothing from anywhere, works without JavaScript and under a strict content security policy. Every
//! text in it comes from packages, so none is trusted.

use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::database::{Index, Listed};
use crate::model::Target;

/// The name of the page for people.
pub const HTML_NAME: &str = "index.html";
/// The name of the list for programs.
pub const JSON_NAME: &str = "packages.json";

/// The version of the format of `packages.json`: new fields do not change it.
const FORMAT: u32 = 1;
const STYLE: &str = include_str!("pages/style.css");
const SCRIPT: &str = include_str!("pages/filter.js");

/// The contents of both files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// `index.html`.
    pub html: String,
    /// `packages.json`.
    pub json: String,
}

/// Renders the packages of `index`, sorted by name; `updated` is the time of the publish, in seconds since 1970.
#[must_use]
pub fn render(target: &Target, index: &Index, updated: u64) -> Pages {
    Pages {
        html: html(target, index, updated),
        json: json(target, index, updated),
    }
}

#[derive(Serialize)]
struct JsonPage<'a> {
    format: u32,
    target: &'a str,
    arch: &'a str,
    updated: u64,
    packages: Vec<JsonPackage<'a>>,
}

#[derive(Serialize)]
struct JsonPackage<'a> {
    name: &'a str,
    base: &'a str,
    version: &'a str,
    description: &'a str,
    arch: &'a str,
    file: &'a str,
    size: u64,
    installed_size: u64,
    build_date: u64,
    sha256: Option<&'a str>,
    provides: &'a [String],
    depends: &'a [String],
}

fn json(target: &Target, index: &Index, updated: u64) -> String {
    let packages = index.iter().map(|(name, listed)| JsonPackage::new(name, listed));
    let page = JsonPage {
        format: FORMAT,
        target: target.repo.as_str(),
        arch: target.arch.as_str(),
        updated,
        packages: packages.collect(),
    };
    let mut text = serde_json::to_string(&page).expect("texts and numbers can be written as JSON");
    text.push('\n');
    text
}

impl<'a> JsonPackage<'a> {
    fn new(name: &'a str, listed: &'a Listed) -> Self {
        Self {
            name,
            base: &listed.pkgbase,
            version: &listed.version,
            description: &listed.description,
            arch: &listed.arch,
            file: &listed.file_name,
            size: listed.size,
            installed_size: listed.installed_size,
            build_date: listed.build_date,
            sha256: listed.sha256.as_deref(),
            provides: &listed.provides,
            depends: &listed.depends,
        }
    }
}

fn html(target: &Target, index: &Index, updated: u64) -> String {
    let mut page = String::with_capacity(8192 + index.len() * 256);
    let (repo, arch) = (Escaped(target.repo.as_str()), Escaped(target.arch.as_str()));
    let size = Size(index.values().map(|listed| listed.size).sum());
    let (count, time) = (index.len(), Time(updated));
    let plural = if count == 1 { "" } else { "s" };
    let (style, script) = (content_hash(STYLE), content_hash(SCRIPT));
    // The end tags that HTML lets one leave out are left out: the page is as long as its repository is large.
    let _ = write!(
        page,
        r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{repo} ({arch}) – pacman repository</title>
<style>{STYLE}</style>
<h1>{repo} <small>{arch}</small></h1>
<p>{count} package{plural}, {size}, updated <time datetime="{time}">{time}</time>; for programs: <a href="{JSON_NAME}">{JSON_NAME}</a>
<p>In <code>/etc/pacman.conf</code>:
<pre tabindex="0">[{repo}]
Server = <span id="server">(the address of this page's folder)</span></pre>
<p hidden><label for="filter">Filter by name and description (press /)</label><input id="filter" type="search" autocomplete="off" spellcheck="false"><output id="count" for="filter"></output></p>
<table>
<thead><tr><th scope="col">Package<th scope="col">Version<th scope="col">Size<th scope="col">Built
<tbody>
"#
    );
    for (name, listed) in index {
        row(&mut page, name, listed);
    }
    let _ = writeln!(page, "</table>\n<script>{SCRIPT}</script>");
    page
}

fn row(page: &mut String, name: &str, listed: &Listed) {
    let _ = write!(page, r#"<tr><td><a href=""#);
    push_address(page, &listed.file_name);
    let _ = writeln!(
        page,
        r#"">{}</a><small>{}</small><td>{}<td>{}<td>{}"#,
        Escaped(name),
        Escaped(&listed.description),
        Escaped(&listed.version),
        Size(listed.size),
        Date(listed.build_date),
    );
}

/// The file's address, relative to the page. The colon of an epoch would make its beginning a scheme.
fn push_address(page: &mut String, file_name: &str) {
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            page.push(char::from(byte));
        } else {
            let _ = write!(page, "%{byte:02X}");
        }
    }
}

/// How a content security policy names an inline style or script.
fn content_hash(content: &str) -> String {
    format!("sha256-{}", BASE64.encode(Sha256::digest(content)))
}

/// A text in which nothing means anything to HTML. Control characters, which have no place there, are replaced.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || c.is_control();
        while let Some(at) = rest.find(special) {
            let (plain, from) = rest.split_at(at);
            f.write_str(plain)?;
            let mut characters = from.chars();
            match characters.next() {
                Some('&') => f.write_str("&amp;")?,
                Some('<') => f.write_str("&lt;")?,
                Some('>') => f.write_str("&gt;")?,
                Some('"') => f.write_str("&quot;")?,
                Some('\'') => f.write_str("&#39;")?,
                Some(_) | None => f.write_char(char::REPLACEMENT_CHARACTER)?,
            }
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

/// A size in the largest unit of which there is at least one.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB"];
        let unit = (1..=units.len()).rev().find(|unit| self.0 >> (10 * unit) > 0);
        match unit {
            None => write!(f, "{} B", self.0),
            Some(unit) => {
                // Tenths, rounded down: what says 1.0 MiB has a mebibyte.
                let tenths = (u128::from(self.0) * 10) >> (10 * unit);
                write!(f, "{}.{} {}", tenths / 10, tenths % 10, units[unit - 1])
            }
        }
    }
}

/// A day as `2026-01-31`; nothing where it is not known.
struct Date(u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match moment(self.0) {
            Some(moment) if self.0 > 0 => write_day(f, moment),
            Some(_) | None => Ok(()),
        }
    }
}

/// A time as `2026-01-31T23:59Z`.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(moment) = moment(self.0) else {
            return Ok(());
        };
        write_day(f, moment)?;
        write!(f, "T{:02}:{:02}Z", moment.hour(), moment.minute())
    }
}

fn moment(seconds: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()
}

fn write_day(f: &mut fmt::Formatter<'_>, moment: OffsetDateTime) -> fmt::Result {
    write!(
        f,
        "{:04}-{:02}-{:02}",
        moment.year(),
        u8::from(moment.month()),
        moment.day()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn target() -> Target {
        Target {
            repo: "farm".parse().unwrap(),
            arch: "x86_64".parse().unwrap(),
        }
    }

    fn listed(version: &str, description: &str) -> Listed {
        Listed {
            pkgbase: "base".into(),
            version: version.into(),
            file_name: format!("name-{version}-x86_64.pkg.tar.zst"),
            sha256: Some("5e".repeat(32)),
            arch: "x86_64".into(),
            description: description.into(),
            size: 1_234_567,
            installed_size: 9_000_000,
            build_date: 1_700_000_000,
            provides: vec!["libname.so=1-64".into()],
            depends: vec!["glibc>=2.35".into(), "other".into()],
        }
    }

    fn index() -> Index {
        let mut bare = listed("0.1-1", "");
        (bare.sha256, bare.build_date, bare.size) = (None, 0, 512);
        (bare.provides, bare.depends) = (Vec::new(), Vec::new());
        Index::from([
            ("zlib-ng+x".to_owned(), listed("1:2.0-1", "Compression, für alle")),
            ("bare".to_owned(), bare),
        ])
    }

    /// The page without style and script, which are files of their own.
    fn without_inline(html: &str) -> String {
        let short = html.replace(STYLE, "…").replace(SCRIPT, "…");
        short
            .replace(&content_hash(STYLE), "sha256-STYLE")
            .replace(&content_hash(SCRIPT), "sha256-SCRIPT")
    }

    #[test]
    fn both_pages() {
        let pages = render(&target(), &index(), 1_800_000_000);
        insta::assert_snapshot!("html", without_inline(&pages.html));
        insta::assert_snapshot!("json", pages.json);
        let empty = render(&target(), &Index::new(), 0);
        assert!(empty.html.contains("0 packages, 0 B"));
        assert!(empty.json.contains(r#""packages":[]"#));
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile =
            "</script><script>alert(1)</script><img src=x onerror='a' b=\"c\">&lt;\u{0}\u{1b}[2J\u{202e}";
        let mut package = listed("1-1", hostile);
        package.file_name = "\"><b>:/?#%é".into();
        package.version = "<i>".into();
        package.depends = vec![hostile.into()];
        let harmless = render(&target(), &Index::from([("a".into(), listed("1-1", "x"))]), 0);
        let pages = render(&target(), &Index::from([("<a\"'&".into(), package)]), 0);
        let tags = |html: &str| html.matches('<').count();
        assert_eq!(tags(&pages.html), tags(&harmless.html), "{}", pages.html);
        assert!(!pages.html.contains(['\u{0}', '\u{1b}']));
        assert!(
            pages
                .html
                .contains(r#"<a href="%22%3E%3Cb%3E%3A%2F%3F%23%25%C3%A9">&lt;a&quot;&#39;&amp;</a>"#)
        );
        let value: serde_json::Value = serde_json::from_str(&pages.json).unwrap();
        assert_eq!(value["packages"][0]["description"], hostile);
        assert_eq!(value["packages"][0]["depends"][0], hostile);
    }

    #[test]
    fn the_policy_allows_what_the_page_holds_and_nothing_else() {
        let html = render(&target(), &index(), 0).html;
        let between = |start: &str, end: &str| {
            let from = html.find(start).unwrap() + start.len();
            &html[from..from + html[from..].find(end).unwrap()]
        };
        for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
            let content = between(&format!("<{tag}>"), &format!("</{tag}>"));
            let hash = between(&format!("{directive} '"), "'");
            assert_eq!(hash, content_hash(content));
            assert_eq!(html.matches(&format!("<{tag}")).count(), 1);
        }
        assert!(html.contains("default-src 'none'"));
        for outside in [
            "http://",
            "https://",
            "src=",
            "@import",
            "url(",
            " style=",
            " onclick=",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn sizes_and_days() {
        let size = |bytes| Size(bytes).to_string();
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size((1 << 20) - 1), "1023.9 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
        assert_eq!(Date(1_700_000_000).to_string(), "2023-11-14");
        assert_eq!(Date(0).to_string(), "");
        assert_eq!(Date(u64::MAX).to_string(), "");
        assert_eq!(Time(1_700_000_000).to_string(), "2023-11-14T22:13Z");
    }

    #[test]
    fn a_large_repository_is_quick_and_takes_little_markup() {
        let description = "A description of the usual length, which is about this long";
        let index: Index = (0..20_000)
            .map(|number| (format!("package-{number}"), listed("1.2.3-1", description)))
            .collect();
        let started = Instant::now();
        let pages = render(&target(), &index, 1_800_000_000);
        let took = started.elapsed();
        let texts: usize = index
            .iter()
            .map(|(name, listed)| {
                name.len() + listed.version.len() + listed.description.len() + listed.file_name.len()
            })
            .sum();
        let frame = render(&target(), &Index::new(), 0).html.len();
        let markup = (pages.html.len() - frame - texts) / index.len();
        println!(
            "20,000 packages: {took:?}, {} bytes of HTML, {} of JSON, {markup} bytes of markup, size and date a package",
            pages.html.len(),
            pages.json.len()
        );
        assert!(markup <= 150, "{markup}");
        // Unoptimized; optimized it takes a tenth of that.
        assert!(took.as_secs() < 2, "{took:?}");
    }
}
