//! Who provides a name.

use std::collections::{HashMap, HashSet};

use super::Node;
use crate::model::Target;

/// For every target the names that an edge of the batch can be about, and the node that provides each.
pub(super) struct Providers<'a>(HashMap<&'a Target, HashMap<&'a str, usize>>);

impl<'a> Providers<'a> {
    /// Names that neither the first `batch` nodes need nor provide are left out: over a long queue they are nearly all.
    pub(super) fn of(nodes: &[Node<'a>], batch: usize) -> Self {
        let wanted: HashSet<&str> = nodes[..batch]
            .iter()
            .flat_map(|node| {
                let needs = node.request.needs.iter().map(|need| need.name.as_str());
                needs
                    .chain(node.request.names.iter().map(String::as_str))
                    .chain([node.request.pkgbase.as_str()])
            })
            .collect();
        let mut targets: HashMap<&Target, HashMap<&str, usize>> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            let request = node.request;
            let pkgbase = &request.pkgbase;
            let names = targets.entry(&request.target).or_default();
            for name in request
                .names
                .iter()
                .map(String::as_str)
                .filter(|name| wanted.contains(name))
            {
                let provider = names.entry(name).or_insert(index);
                let known = &nodes[*provider].request.pkgbase;
                // A package's own pkgbase wins over whoever merely provides the name.
                if known.as_str() != name && pkgbase < known {
                    *provider = index;
                }
            }
            if wanted.contains(pkgbase.as_str()) {
                names.insert(pkgbase.as_str(), index);
            }
        }
        Self(targets)
    }

    pub(super) fn find(&self, target: &Target, name: &str) -> Option<usize> {
        self.0.get(target)?.get(name).copied()
    }
}
