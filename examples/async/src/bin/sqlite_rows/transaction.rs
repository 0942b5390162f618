//! The transaction of `sqlite_rows`.

use rusqlite::{Connection, params};

/// How many rows are moved at once.
const PAGE: usize = 64;

/// A transaction that is rolled back unless it is committed. rusqlite's own has a shared reference to the
/// connection, which then may not go to another thread; one that is not shared may.
pub struct Transaction<'a> {
    connection: &'a mut Connection,
    open: bool,
}

impl<'a> Transaction<'a> {
    pub fn begin(connection: &'a mut Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Transaction { connection, open: true })
    }

    /// Moves the next rows, after the one with this number.
    pub fn move_page(&self, after: i64) -> rusqlite::Result<Vec<Row>> {
        let mut page = self.connection.prepare(
            "DELETE FROM inbox WHERE id IN
                (SELECT id FROM inbox WHERE id > ?1 ORDER BY id LIMIT ?2)
            RETURNING id, message",
        )?;
        let row = |row: &rusqlite::Row| Ok(Row { id: row.get(0)?, message: row.get(1)? });
        let mut rows =
            page.query_map(params![after, PAGE as i64], row)?.collect::<Result<Vec<_>, _>>()?;
        rows.sort_by_key(|row| row.id); // `RETURNING` has an order of its own.
        let mut archive = self.connection.prepare("INSERT INTO archive VALUES (?1, ?2)")?;
        for Row { id, message } in &rows {
            archive.execute(params![id, message])?;
        }
        Ok(rows)
    }

    pub fn commit(mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("COMMIT")?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // Should that fail, the connection is about to be closed, which does the same.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

pub struct Row {
    pub id: i64,
    pub message: String,
}
