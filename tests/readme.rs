//! What a newcomer takes from the README and the guides is there, and works as it stands.

use std::fs;
use std::path::Path;

use regex::Regex;

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// The programs of a text, of which there are more than `more_than`, are whole ones.
fn every_program_can_be_pasted(text: &str, more_than: usize) {
    let programs = Regex::new(r"(?ms)^```rust\n(.*?)^```$").unwrap();
    let programs: Vec<_> = programs.captures_iter(text).map(|found| found[1].to_owned()).collect();
    assert!(programs.len() > more_than, "{}", programs.len());
    for program in programs {
        assert!(program.contains("fn main()"), "not a whole program:\n{program}");
        // They are hidden on docs.rs only.
        let hidden = program.lines().find(|line| *line == "#" || line.starts_with("# "));
        assert_eq!(hidden, None, "{program}");
    }
}

#[test]
fn every_program_of_the_readme_can_be_pasted() {
    every_program_can_be_pasted(&readme(), 12);
}

#[test]
fn every_program_of_the_guides_can_be_pasted() {
    let mut guides = 0;
    for guide in fs::read_dir("docs").unwrap() {
        let text = fs::read_to_string(guide.unwrap().path()).unwrap();
        // No other kind of fence, which might be left out above.
        assert_eq!(text.matches("\n```rust\n").count() * 2, text.matches("\n```").count());
        every_program_can_be_pasted(&text, 0);
        guides += 1;
    }
    assert_eq!(guides, 2);
}

#[test]
fn every_file_that_it_names_is_there() {
    if !Path::new(".ci").exists() {
        eprintln!("SKIPPED: what is published leaves out the lanes and the larger examples");
        return;
    }
    let readme = readme();
    let paths = Regex::new(r"`((?:src|tests|examples|benches|docs|\.ci)/[\w./-]+)`").unwrap();
    for path in paths.captures_iter(&readme) {
        assert!(Path::new(&path[1]).exists(), "{}", &path[1]);
    }
    let copied = Regex::new(r"(?ms)^## Which program to copy$(.*?)^## ").unwrap();
    let copied = &copied.captures(&readme).expect("the table of programs")[1];
    let names = Regex::new(r"[`/](\w+(?:\.rs)?)`").unwrap();
    let mut places = Vec::new();
    for directory in ["examples", "examples/cookbook/src/bin", "examples/async/src/bin"] {
        places.extend(fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()));
    }
    for name in names.captures_iter(copied) {
        assert!(places.iter().any(|place| *place == name[1]), "no program {}", &name[1]);
    }
}

/// The words of a message, however they are wrapped.
fn words(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

#[test]
fn the_compiler_says_what_it_is_said_to_say() {
    let readme = readme();
    let section = Regex::new(r"(?ms)^## The compiler says …$(.*?)^## ").unwrap();
    let section = &section.captures(&readme).expect("the table of messages")[1];
    let row = Regex::new(r"(?m)^\| (.+?) \| .+ \| `(\w+)` \|$").unwrap();
    let rows: Vec<_> = row.captures_iter(section).collect();
    assert!(rows.len() > 12, "{}", rows.len());
    for row in rows {
        let message = fs::read_to_string(format!("tests/ui/{}.stderr", &row[2]))
            .unwrap_or_else(|error| panic!("tests/ui/{}: {error}", &row[2]));
        let message = words(&message);
        let mut rest = &message[..];
        for part in row[1].split('…').map(str::trim) {
            let at = rest.find(part);
            let at = at.unwrap_or_else(|| panic!("{}: no {part:?} in\n{rest}", &row[2]));
            rest = &rest[at + part.len()..];
        }
    }
}
