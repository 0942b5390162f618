//! The walk of `scan`: a generator with a body for each directory, which delegates to one for each
//! directory in it.
//!
//! A file costs the same however deep it is found, and a stop leaves all directories on the way to
//! it, deepest first. None is open while its body waits.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io;
use std::path::Path;
use std::sync::Arc;

use watertight::{SendRecursive, SendRecursiveCo, recursive_send};

use super::{Found, Problem, Search};

type Co<'a> = SendRecursiveCo<'a, Found<Arc<Path>>>;

/// Something in a directory: its name, and what it is.
type Entry = (OsString, io::Result<FileType>);

impl Search {
    /// The files under the root, in the order of their names, found as they are asked for.
    ///
    /// The first body is for the argument, and every one above it for a directory one level down. So a
    /// directory is entered if the generator may be that deep, and files are found to that depth.
    pub fn files(&self) -> SendRecursive<'_, Found<Arc<Path>>> {
        let deepest = self.args.max_depth.unwrap_or(usize::MAX);
        recursive_send(|co| self.root(co)).max_depth(deepest)
    }

    async fn root<'a>(&'a self, mut co: Co<'a>) {
        let _alive = self.account.generators.begin();
        let root = &self.args.directory;
        // The root was asked for by name, so it may be a link.
        match fs::metadata(root) {
            // `.` is the empty path here, so that names do not begin with it.
            Ok(at) if at.is_dir() => {
                self.enter(&mut co, root.strip_prefix(".").unwrap_or(root).into()).await;
            }
            Ok(at) if at.is_file() => {
                self.account.files.add(1);
                co.yield_(Ok(root.strip_prefix(".").unwrap_or(root).into())).await;
            }
            Ok(_) => {} // It was one of these when the program began.
            Err(source) => co.yield_(Err(Problem::unreadable(root, source))).await,
        }
    }

    /// Walks a directory, if that is not too deep, and goes on whatever is the matter with it.
    async fn enter<'a>(&'a self, co: &mut Co<'a>, path: Arc<Path>) {
        let inside = path.clone();
        let problem = match co.try_yield_from(|co| self.directory(co, inside)).await {
            Ok(Ok(())) => return,
            Ok(Err(problem)) => problem,
            Err(too_deep) => {
                Problem::TooDeep { path: named(&path).into(), source: too_deep.without_body() }
            }
        };
        co.yield_(Err(problem)).await;
    }

    /// Whatever is in a directory, one after the other.
    #[allow(clippy::manual_async_fn, reason = "one that comes back to itself cannot be `Send`")]
    fn directory<'a>(
        &'a self,
        mut co: Co<'a>,
        path: Arc<Path>,
    ) -> impl Future<Output = Found<()>> + Send {
        async move {
            let _alive = self.account.generators.begin();
            self.account.directories.add(1);
            let mut entries = Vec::new();
            // An error is told in the end: what was read before it is visited all the same.
            let listed = self.list(&path, &mut entries);
            for (name, kind) in entries {
                if self.stop.is_stopped() {
                    break; // Nobody listens any more.
                }
                let path: Arc<Path> = path.join(name).into();
                match kind {
                    Ok(kind) if kind.is_dir() => self.enter(&mut co, path).await,
                    Ok(_) => {
                        self.account.files.add(1);
                        co.yield_(Ok(path)).await;
                    }
                    Err(source) => co.yield_(Err(Problem::unreadable(&path, source))).await,
                }
            }
            listed
        }
    }

    /// What there is to visit in a directory, in the order of the names.
    ///
    /// When this returns the directory is closed, or a deep walk would run out of descriptors. Std's
    /// entries keep it open, so they are not kept.
    fn list(&self, path: &Path, entries: &mut Vec<Entry>) -> Found<()> {
        let unreadable = |source| Problem::unreadable(named(path), source);
        let directory = fs::read_dir(named(path)).map_err(unreadable)?;
        let _counted = self.account.listed.begin();
        let mut listed = Ok(());
        for entry in directory {
            if self.stop.is_stopped() {
                break;
            }
            match entry {
                Ok(entry) => {
                    let (name, kind) = (entry.file_name(), entry.file_type());
                    if self.wanted(&name, &kind) {
                        entries.push((name, kind));
                    }
                }
                Err(source) => listed = Err(unreadable(source)),
            }
        }
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        listed
    }

    fn wanted(&self, name: &OsStr, kind: &io::Result<FileType>) -> bool {
        let is_dir = kind.as_ref().is_ok_and(FileType::is_dir);
        let hidden = name.as_encoded_bytes().starts_with(b".");
        let build = is_dir && name == "target";
        // Nothing else is opened: a pipe, for one, would block.
        let readable = is_dir || kind.as_ref().map_or(true, FileType::is_file);
        readable && (self.args.unrestricted || !(hidden || build))
    }
}

/// How the system calls a directory of the walk.
fn named(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
