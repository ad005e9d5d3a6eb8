package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
)

// bucket is an archive in an object storage that speaks S3.
//
// There are no renames. A generation's files are written where they stay, under
// names of their own that nobody else uses, and read back; the manifest, which is
// written last and only if there is none, makes them a generation. Who comes
// second is refused, and overwrites nothing.
type bucket struct {
	client *minio.Client
	name   string
	// prefix is "" or ends in a slash.
	prefix string
	// address is what people know it by.
	address string
	// local has the locks, and the tokens of drafts; machine is its name.
	local, machine string
}

// partBytes is the size of the parts that a file is uploaded in, and so what an
// upload holds in memory. S3 takes 10,000 of them.
const partBytes = 16 << 20

// virtualHost finds bucket and endpoint in an address of AWS such as
// bucket.s3.eu-central-1.amazonaws.com.
var virtualHost = regexp.MustCompile(`^(.+?)\.(s3[.-](?:.+\.)?amazonaws\.com(?:\.cn)?)$`)

// parseBucket takes the address of a prefix in a bucket apart:
// https://bucket.s3.region.amazonaws.com/prefix/ or https://host/bucket/prefix/.
func parseBucket(address string) (endpoint, name, prefix string, secure bool, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return "", "", "", false, errors.New("archive.url takes https://bucket.s3.region.amazonaws.com/prefix/ or https://host/bucket/prefix/")
	}
	endpoint, prefix = u.Host, strings.Trim(u.Path, "/")
	if m := virtualHost.FindStringSubmatch(u.Host); m != nil {
		name, endpoint = m[1], m[2]
	} else {
		name, prefix, _ = strings.Cut(prefix, "/")
	}
	if name == "" {
		return "", "", "", false, errors.New("archive.url names no bucket: https://host/bucket/prefix/")
	}
	if prefix != "" {
		prefix += "/"
	}
	return endpoint, name, prefix, u.Scheme == "https", nil
}

func openBucket(o Options) (*bucket, error) {
	endpoint, name, prefix, secure, err := parseBucket(o.Bucket)
	if err != nil {
		return nil, err
	}
	client, err := minio.New(endpoint, &minio.Options{Creds: keysOf(o), Secure: secure})
	if err != nil {
		return nil, err
	}
	if o.Local == "" {
		return nil, errors.New("archive.url needs a folder for its locks")
	}
	if err := os.MkdirAll(o.Local, 0o700); err != nil {
		return nil, err
	}
	machine, err := machineName(o.Local)
	return &bucket{client, name, prefix, strings.TrimSuffix(o.Bucket, "/"), o.Local, machine}, err
}

// machineName is the name that a folder got when it was first used: random, since
// host names come twice.
func machineName(local string) (string, error) {
	file := filepath.Join(local, "machine")
	for {
		b, err := os.ReadFile(file)
		if err == nil && machineNames.Match(b) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return string(b), err
		}
		if err == nil { // cut off by a loss of power
			_ = os.Remove(file)
		}
		// Written beside and linked, so that of two processes one names it.
		draft := file + "-" + newToken()
		if err := os.WriteFile(draft, []byte(newToken()), 0o600); err != nil {
			return "", err
		}
		err = os.Link(draft, file)
		_ = os.Remove(draft)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
}

var machineNames = regexp.MustCompile(`^[0-9a-f]{8}$`)

func newToken() string { return uuid.NewString()[:8] }

// storageError is what an object storage, or the way there, refused.
type storageError struct {
	doing, place string
	err          error
}

func (e *storageError) Error() string { return e.doing + " " + e.place + ": " + e.err.Error() }

func (e *storageError) Unwrap() error { return e.err }

// failed says what was being done, and where; nil stays nil.
func (b *bucket) failed(doing, name string, err error) error {
	if err == nil {
		return nil
	}
	return &storageError{doing, b.place(name), err}
}

func (b *bucket) inPlace() bool { return true }

func (b *bucket) place(name string) string { return b.address + "/" + name }

func (b *bucket) children(ctx context.Context, folder string) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefix := b.prefix + folder + "/"
	var out []string
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix}) {
		if o.Err != nil {
			return nil, b.failed("list", folder, o.Err)
		}
		if child, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, prefix), "/"); ok && child != "" {
			out = append(out, child)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (b *bucket) open(ctx context.Context, name string) (io.ReadCloser, error) {
	o, err := b.client.GetObject(ctx, b.name, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, b.failed("open", name, err)
	}
	if _, err := o.Stat(); err != nil { // GetObject asks for nothing yet
		_ = o.Close()
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			err = fs.ErrNotExist
		}
		return nil, b.failed("open", name, err)
	}
	return &object{o, b, name}, nil
}

// object is an object that is read, and says which it is when that breaks off.
type object struct {
	*minio.Object
	b    *bucket
	name string
}

func (o *object) Read(p []byte) (int, error) {
	n, err := o.Object.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = o.b.failed("read", o.name, err)
	}
	return n, err
}

func (b *bucket) locker() string { return "_" + b.machine }

// lock is one of the machine's: see bucket for what happens between machines.
func (b *bucket) lock(table, day string) (func(), error) { return lockFile(b.local, table, day) }

type bucketDraft struct {
	b      *bucket
	folder string
	// token is in the names of the draft's files; note is the file that has it as
	// long as the draft is under way.
	token, note string
	// stays: it is published, or nobody knows whether it is.
	stays bool
}

func (b *bucket) draft(ctx context.Context, table, day, to string) (draft, error) {
	d := &bucketDraft{b: b, folder: to, token: newToken(), note: b.note(path.Dir(to))}
	if left, err := os.ReadFile(d.note); err == nil {
		if err := b.removeDraft(ctx, path.Dir(to), string(left)); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return d, writeNote(d.note, d.token)
}

// note is the file that has the token of the draft of a table's day.
func (b *bucket) note(day string) string {
	return filepath.Join(b.local, strings.ReplaceAll(day, "/", "-")+".draft")
}

// writeNote has a token on the disk before there is an object that it names.
func writeNote(note, token string) error {
	if err := writeSynced(note, []byte(token), os.O_TRUNC); err != nil {
		return err
	}
	return syncDir(filepath.Dir(note))
}

// removeDraft removes the files of a draft that a crash left, unless it got as far
// as its manifest.
func (b *bucket) removeDraft(ctx context.Context, day, token string) error {
	if token == "" {
		return nil
	}
	listing, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range b.client.ListObjects(listing, b.name, minio.ListObjectsOptions{Prefix: b.prefix + day + "/", Recursive: true}) {
		if o.Err != nil {
			return b.failed("list", day, o.Err)
		}
		file := path.Base(o.Key)
		if !strings.HasSuffix(file, "-"+token+".parquet") {
			continue
		}
		manifest, err := b.read(ctx, strings.TrimPrefix(path.Join(path.Dir(o.Key), manifestName), b.prefix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if bytes.Contains(manifest, []byte(`"`+file+`"`)) {
			continue
		}
		if err := b.client.RemoveObject(ctx, b.name, o.Key, minio.RemoveObjectOptions{}); err != nil {
			return b.failed("remove", strings.TrimPrefix(o.Key, b.prefix), err)
		}
	}
	return nil
}

func (b *bucket) read(ctx context.Context, name string) ([]byte, error) {
	f, err := b.open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
}

// putOptions are those of every object. The storage checks each part's MD5, which
// all of them know, and buckets whose objects cannot be deleted ask for; the other
// ways of doing so are known to some.
func putOptions(kind string) minio.PutObjectOptions {
	return minio.PutObjectOptions{PartSize: partBytes, ContentType: kind, SendContentMd5: true, DisableContentSha256: true}
}

func (d *bucketDraft) file(n int) string { return fmt.Sprintf("%04d-%s.parquet", n, d.token) }

func (d *bucketDraft) write(ctx context.Context, file string, from io.Reader) (name string, size int64, err error) {
	name = path.Join(d.folder, file)
	// An upload whose data ends in an error is given up, and leaves no object.
	info, err := d.b.client.PutObject(ctx, d.b.name, d.b.prefix+name, from, -1, putOptions("application/vnd.apache.parquet"))
	return name, info.Size, d.b.failed("write", name, err)
}

func (d *bucketDraft) publish(ctx context.Context, manifest []byte) error {
	name := path.Join(d.folder, manifestName)
	options := putOptions("application/json")
	options.SetMatchETagExcept("*") // only if there is none
	_, err := d.b.client.PutObject(ctx, d.b.name, d.b.prefix+name, bytes.NewReader(manifest), int64(len(manifest)), options)
	if e := minio.ToErrorResponse(err); err != nil && (e.Code == minio.PreconditionFailed || e.StatusCode == http.StatusPreconditionFailed) {
		return fmt.Errorf("%s: %w: it has archived the day meanwhile", d.b.place(name), ErrBusy)
	}
	// When the answer was lost, it may be there all the same; and a storage that does
	// not know the condition may have taken another's after it.
	there, readErr := d.b.read(ctx, name)
	switch {
	case readErr == nil && bytes.Equal(there, manifest):
		d.stays = true
		_ = os.Remove(d.note)
		return nil
	case err != nil:
		// Unless it was refused in so many words it may still come to be there.
		d.stays = minio.ToErrorResponse(err).StatusCode/100 != 4
		return d.b.failed("write", name, err)
	case readErr != nil:
		d.stays = true
		return readErr
	}
	return fmt.Errorf("%s: %w: it has archived the day meanwhile", d.b.place(name), ErrBusy)
}

func (d *bucketDraft) discard() {
	if d.stays {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// What cannot be removed now is when the day is archived next: the note stays.
	if err := d.b.removeDraft(ctx, path.Dir(d.folder), d.token); err == nil {
		_ = os.Remove(d.note)
	}
}
