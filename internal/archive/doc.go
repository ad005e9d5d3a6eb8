// Package archive keeps days of tables as Parquet files, out of which every row
// can be read again: by any program that reads Parquet, by SQL, and back into
// the tables.
//
// A day of a table is a folder of the archive:
//
//	<dir>/<database>/<table>/<day>/<generation>/0000.parquet, …, manifest.json
//
// A generation is written under <dir>/tmp and renamed when every file of it is
// on the disk and was read back: rows and a hash over all columns, computed from
// the table and from the file, must be the same. In a bucket, which knows no
// renames, files are written in place under names that nobody else uses, and the
// manifest comes last, only if there is none. What has no manifest is no archive.
// Rows that a day gets after it was archived go to a further generation, which has
// them alone.
//
// Files hold every column of the table, computed ones included, so that they
// need no other program to make sense; text is binary in them, because messages
// are not always UTF-8. They are sorted as the table is, compressed with ZSTD,
// and bounded in size: writing and reading take no more memory for a day of a
// billion rows than for one of a million.
//
// Restored days come back as whole partitions, attached at once: a day is there
// or it is not, and attaching one that is there already adds only what is
// missing. No materialized view sees these rows, so nothing is counted twice.
// Retention leaves a restored day alone until its time is up.
package archive
