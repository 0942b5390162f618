//! PROOF.md and UNSAFE.md say what proves what. Here they are held against the tree, so that they
//! cannot drift: what is counted, what is named, and that nothing has been left out.
//!
//! `PROOF_UPDATE=1 cargo test --test proof` writes the counts anew. What belongs to which guarantee is
//! for a person to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files under a directory, by their paths from the root.
fn sources(directory: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut left = vec![root().join(directory)];
    while let Some(next) = left.pop() {
        if next.is_dir() {
            left.extend(fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
        } else if next.extension().is_some_and(|extension| extension == "rs") {
            found.push(next.strip_prefix(root()).unwrap().to_path_buf());
        }
    }
    found.sort();
    found
}

/// What is in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table in a section, as their cells.
fn table<'d>(document: &'d str, section: &str) -> Vec<Vec<&'d str>> {
    let heading = format!("\n## {section}\n");
    let (_, from) = document.split_once(&heading).unwrap_or_else(|| panic!("no `{section}`"));
    let section = from.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// For each guarantee what a section names, each thing once and only in one row.
fn lists<'d>(document: &'d str, section: &str) -> BTreeMap<&'d str, BTreeSet<&'d str>> {
    let (mut rows, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for row in table(document, section) {
        let [guarantee, names] = *row else { panic!("{section}: {row:?}") };
        for name in quoted(names) {
            assert!(seen.insert(name), "{section}: `{name}` is there twice");
        }
        assert!(
            rows.insert(guarantee, BTreeSet::from_iter(quoted(names))).is_none(),
            "{guarantee}"
        );
    }
    rows
}

fn all<'d>(lists: &BTreeMap<&'d str, BTreeSet<&'d str>>) -> BTreeSet<&'d str> {
    lists.values().flatten().copied().collect()
}

/// The models, and for each the guarantees that it proves.
fn models(document: &str) -> BTreeMap<&str, Vec<&str>> {
    let rows = table(document, "Models").into_iter().map(|row| {
        let [model, _, proves] = *row else { panic!("{row:?}") };
        let [model] = *quoted(model) else { panic!("{row:?}") };
        (model, proves.split(", ").collect())
    });
    rows.collect()
}

/// The tests of each guarantee, in tests/contract and elsewhere, by their files.
type Tests = BTreeMap<String, [BTreeMap<PathBuf, usize>; 2]>;

fn tests_by_guarantee() -> Tests {
    let of_a_guarantee = Regex::new(r"#\[(?:tokio::)?test[^\n]*\][^{;]*?fn (g\d+)_\w+\(").unwrap();
    let named = Regex::new(r"fn g\d+_\w+\(").unwrap();
    let any = Regex::new(r"#\[(?:tokio::)?test[^\n]*\][^{;]*?fn (\w+)\(").unwrap();
    let mut tests = Tests::new();
    for path in sources("tests").into_iter().filter(|path| !path.starts_with("tests/ui")) {
        let text = read(&path);
        let in_contract = path.starts_with("tests/contract");
        let (run, there) =
            (of_a_guarantee.find_iter(&text).count(), named.find_iter(&text).count());
        assert_eq!(run, there, "{path:?}: what is named after a guarantee is a test");
        for test in of_a_guarantee.captures_iter(&text) {
            let places = tests.entry(test[1].to_uppercase()).or_default();
            *places[usize::from(!in_contract)].entry(path.clone()).or_default() += 1;
        }
        if in_contract && path.file_name().unwrap() != "main.rs" {
            let of = path.file_stem().unwrap().to_str().unwrap().split('_').next().unwrap();
            let all: Vec<_> = any.captures_iter(&text).map(|test| test[1].to_string()).collect();
            let lost =
                all.iter().find(|name| !of_a_guarantee.is_match(&format!("#[test] fn {name}(")));
            assert_eq!(lost, None, "in {path:?}, and not the test of any guarantee");
            let own = all.iter().any(|name| name.starts_with(&format!("{of}_")));
            assert!(own, "{path:?} has no test of the guarantee that it is named after");
        }
    }
    tests
}

fn in_words(places: &BTreeMap<PathBuf, usize>) -> String {
    let short = |path: &PathBuf| {
        let path = path.strip_prefix("tests/contract").or(path.strip_prefix("tests")).unwrap();
        format!("`{}`", path.display())
    };
    let files: Vec<_> =
        places.iter().map(|(path, count)| format!("{} {count}", short(path))).collect();
    let total: usize = places.values().sum();
    if total == 0 { "–".into() } else { format!("**{total}**: {}", files.join(", ")) }
}

/// What the README's contract says, by guarantee.
fn contract() -> BTreeMap<String, String> {
    let row = Regex::new(r"(?m)^\| (G\d+) \| \*\*(.+?)\.\*\*").unwrap();
    row.captures_iter(&read("README.md")).map(|row| (row[1].into(), row[2].into())).collect()
}

#[test]
fn the_table_of_the_contract_is_what_the_tree_has() {
    let document = read("PROOF.md");
    let (tests, contract) = (tests_by_guarantee(), contract());
    assert_eq!(contract.len(), 12, "{contract:?}");
    assert_eq!(Vec::from_iter(tests.keys()), Vec::from_iter(contract.keys()));
    let [loom, mutants] = ["Loom", "Mutants"].map(|section| lists(&document, section));
    let models = models(&document);
    let proving = |guarantee: &str| {
        let count = models.values().filter(|proves| proves.contains(&guarantee)).count();
        if count == 0 { "–".to_string() } else { count.to_string() }
    };
    let count = |lists: &BTreeMap<&str, BTreeSet<&str>>, guarantee: &str| {
        lists.get(guarantee).map_or("–".to_string(), |names| names.len().to_string())
    };
    let mut rows = vec![
        "| | guarantee | in `tests/contract` | elsewhere in `tests` | models | loom | mutants |"
            .into(),
        "|---|---|---|---|---|---|---|".into(),
    ];
    for number in 1..=contract.len() {
        let guarantee = format!("G{number}");
        let [ours, elsewhere] = &tests[&guarantee];
        assert!(!ours.is_empty(), "{guarantee} has no test in tests/contract");
        rows.push(format!(
            "| {guarantee} | {} | {} | {} | {} | {} | {} |",
            contract[&guarantee],
            in_words(ours),
            in_words(elsewhere),
            proving(&guarantee),
            count(&loom, &guarantee),
            count(&mutants, &guarantee),
        ));
    }
    let rows = rows.join("\n");
    if !document.contains(&rows) {
        if std::env::var_os("PROOF_UPDATE").is_some() {
            let old = Regex::new(r"(?m)^\| \| guarantee \|.*\n(\|.*\n)*").unwrap();
            let new = old.replace(&document, |_: &regex::Captures<'_>| format!("{rows}\n"));
            return fs::write(root().join("PROOF.md"), &*new).unwrap();
        }
        panic!("PROOF.md is out of date (PROOF_UPDATE=1 writes it). It should have\n{rows}");
    }
    let sum = |at: usize| tests.values().flat_map(|places| places[at].values()).sum::<usize>();
    println!(
        "proof: {} guarantees, {} contract tests, {} elsewhere, {} models, {} loom models, {} mutants",
        contract.len(),
        sum(0),
        sum(1),
        models.len(),
        all(&loom).len(),
        all(&mutants).len()
    );
}

#[test]
fn every_model_is_in_its_table_and_there() {
    let document = read("PROOF.md");
    let mut files = BTreeSet::new();
    for (model, proves) in models(&document) {
        assert!(proves.iter().all(|guarantee| contract().contains_key(*guarantee)), "{proves:?}");
        let (file, test) = model.split_once("::").expect("file::test");
        let path = format!("tests/{file}.rs");
        assert!(read(&path).contains(&format!("fn {test}(")), "there is no `{model}`");
        files.insert(path);
    }
    for path in sources("tests") {
        let is_one = read(&path).contains("proptest!") || read(&path).contains("TestRunner::new");
        let path = path.to_str().unwrap();
        assert!(!is_one || path == "tests/proof.rs" || files.contains(path), "{path} is missing");
    }
}

#[test]
fn every_loom_model_is_in_its_table() {
    let document = read("PROOF.md");
    let test = Regex::new(r"#\[test\]\s+fn (\w+)\(").unwrap();
    let mut there = BTreeSet::new();
    for path in sources("tests").into_iter().filter(|path| path.starts_with("tests/loom")) {
        let module = path.file_stem().unwrap().to_str().unwrap();
        for test in test.captures_iter(&read(&path)) {
            there.insert(format!("{module}::{}", &test[1]));
        }
    }
    for test in test.captures_iter(&read("tests/loom.rs")) {
        there.insert(test[1].to_string());
    }
    let listed = lists(&document, "Loom");
    assert_eq!(all(&listed).into_iter().map(String::from).collect::<BTreeSet<_>>(), there);
}

#[test]
fn every_model_of_shuttle_is_in_its_table() {
    let document = read("PROOF.md");
    let rows = table(&document, "Shuttle");
    let listed: BTreeSet<_> = rows.iter().flat_map(|row| quoted(row[0])).collect();
    let test = Regex::new(r"#\[test\]\s+fn (\w+)\(").unwrap();
    let source = read("tests/shuttle.rs");
    let there = test.captures_iter(&source).map(|test| test.get(1).unwrap().as_str());
    assert_eq!(listed, there.collect());
}

/// The mutants, and what catches each; none where the package has been unpacked without them.
fn mutants() -> Option<BTreeMap<String, String>> {
    let entries = fs::read_dir(root().join("tests/mutants")).ok()?;
    let mutant = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let caught = text.lines().nth(1).unwrap().strip_prefix("caught by: ").unwrap().to_string();
        (path.file_stem().unwrap().to_str().unwrap().to_string(), caught)
    };
    Some(entries.map(|entry| mutant(entry.unwrap().path())).collect())
}

#[test]
fn every_mutant_is_in_its_table() {
    let Some(there) = mutants() else { return println!("no mutants in this package") };
    let document = read("PROOF.md");
    let listed = lists(&document, "Mutants");
    assert_eq!(all(&listed), there.keys().map(String::as_str).collect());
    let caught_by = Regex::new(r"\bg(\d+)_").unwrap();
    for (guarantee, names) in listed {
        for name in names {
            if let Some(by) = caught_by.captures(&there[name]) {
                assert_eq!(
                    guarantee,
                    format!("G{}", &by[1]),
                    "{name} is caught by {}",
                    there[name]
                );
            }
        }
    }
}

#[test]
fn the_sanitizers_run_what_the_table_says() {
    let document = read("PROOF.md");
    let target = Regex::new(r"(?:--test|\bnarrow \S+) (\w+)").unwrap();
    for row in table(&document, "Lanes") {
        let [lane, targets, ..] = &*row else { panic!("{row:?}") };
        let [lane] = *quoted(lane) else { panic!("{row:?}") };
        let Ok(script) = fs::read_to_string(root().join(".ci").join(lane)) else {
            return println!("no lanes in this package");
        };
        let script: Vec<_> = script.lines().filter(|line| !line.starts_with('#')).collect();
        let script = script.join("\n");
        let there: BTreeSet<_> =
            target.captures_iter(&script).map(|name| name[1].to_string()).collect();
        let said: BTreeSet<_> = quoted(targets).into_iter().map(String::from).collect();
        assert_eq!(there, said, "{lane}");
    }
}

/// What is `unsafe` in a function (the last one that begins above it) or, outside of all, in a file:
/// how many blocks and how many declarations.
fn unsafe_code() -> BTreeMap<(String, String), [usize; 2]> {
    let begins =
        Regex::new(r"\bfn (\w+)|^(?:unsafe )?impl\b|^static|^const|^pub unsafe trait").unwrap();
    let word = Regex::new(r"\bunsafe (\{|impl|fn|trait|extern)").unwrap();
    let mut found = BTreeMap::<_, [usize; 2]>::new();
    for path in sources("src") {
        let mut function = "–".to_string();
        for line in read(&path).lines() {
            let code = line.split("//").next().unwrap();
            if let Some(begin) = begins.captures(code) {
                function = begin.get(1).map_or("–".into(), |name| name.as_str().to_string());
            }
            for word in word.captures_iter(code) {
                let at = (path.to_str().unwrap().to_string(), function.clone());
                found.entry(at).or_default()[usize::from(&word[1] != "{")] += 1;
            }
        }
    }
    found
}

#[test]
fn the_inventory_of_unsafe_code_is_complete() {
    let document = read("UNSAFE.md");
    let there = mutants();
    let mut listed = BTreeMap::new();
    for row in table(&document, "Inventory") {
        let [file, function, blocks, declarations, invariant, attacked] = *row else {
            panic!("{row:?}")
        };
        let [file] = *quoted(file) else { panic!("{row:?}") };
        let at = (format!("src/{file}"), function.trim_matches('`').to_string());
        let counts = [blocks, declarations].map(|count| count.parse().unwrap());
        assert!(listed.insert(at, counts).is_none(), "{row:?} is there twice");
        assert!(!invariant.is_empty() && !attacked.is_empty(), "{row:?} does not say why");
        for name in quoted(attacked) {
            let known = there.as_ref().is_none_or(|there| there.contains_key(name))
                || ["", ".rs"].iter().any(|end| root().join(format!("tests/{name}{end}")).exists());
            assert!(known, "{row:?}: there is neither a mutant nor a test `{name}`");
        }
    }
    let found = unsafe_code();
    for (at, counts) in &found {
        assert_eq!(listed.get(at), Some(counts), "UNSAFE.md and {at:?} [blocks, declarations]");
    }
    assert_eq!(listed.len(), found.len(), "UNSAFE.md names what is not there");
    // The rest of the files forbid it, which the compiler sees to.
    let total: usize = found.values().map(|counts| counts[0]).sum();
    println!("proof: {total} unsafe blocks in {} functions", found.len());
}
