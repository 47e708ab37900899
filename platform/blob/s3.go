package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	// partSize is how much of a blob is held while it is sent; S3 takes no smaller parts.
	partSize = 5 << 20
	// attempts at a request, within a second or two; who asked is told then, and tries again.
	attempts = 3
)

// s3 keeps blobs as objects of a bucket.
type s3 struct {
	client minio.Core
	bucket string
}

func openS3(c S3) (*s3, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("blob.s3.endpoint: %w", err)
	}
	creds := credentials.NewIAM("")
	if c.AccessKey != "" {
		creds = credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")
	}
	client, err := minio.NewCore(u.Host, &minio.Options{Creds: creds, Secure: u.Scheme == "https", Region: c.Region, MaxRetries: attempts})
	if err != nil {
		return nil, fmt.Errorf("blob.s3: %w", err)
	}
	return &s3{client: *client, bucket: c.Bucket}, nil
}

func (s *s3) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	from := &source{Reader: r, ctx: ctx}
	err := s.send(ctx, key, from)
	if from.err != nil {
		if err == nil { // what came before the reader failed was taken for all of it
			_ = s.Delete(context.WithoutCancel(ctx), key) // else whoever sweeps will
		}
		return 0, from.err
	}
	if err != nil {
		return 0, unavailable(err)
	}
	return from.n, nil
}

// send puts what fits into one part in one request, and more in parts.
func (s *s3) send(ctx context.Context, key string, from io.Reader) error {
	first := make([]byte, partSize)
	n, err := io.ReadFull(from, first)
	whole := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !whole {
		return err
	}
	body, size := io.Reader(bytes.NewReader(first[:n])), int64(n)
	if !whole {
		body, size = io.MultiReader(body, from), -1
	}
	_, err = s.client.Client.PutObject(ctx, s.bucket, key, body, size, minio.PutObjectOptions{
		PartSize: partSize, NumThreads: 1,
		// Not every store reads bodies that are signed in chunks; all of them check this sum.
		DisableContentSha256: true, SendContentMd5: true,
	})
	return err
}

func (s *s3) Get(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	if err := checkKey(key); err != nil {
		return nil, 0, err
	}
	body, info, _, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if missing(err) {
		return nil, 0, ErrNotFound
	}
	if err != nil {
		return nil, 0, unavailable(err)
	}
	return body, info.Size, nil
}

func (s *s3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}); err != nil && !missing(err) {
		return unavailable(err)
	}
	if err := s.client.RemoveIncompleteUpload(ctx, s.bucket, key); err != nil && !missing(err) {
		return unavailable(err)
	}
	return nil
}

// missing tells whether the store says that there is no such object. A bucket that is not there is no such answer: then
// the installation is wrong, and nothing may be taken for deleted.
func missing(err error) bool {
	r := minio.ToErrorResponse(err)
	return r.StatusCode == http.StatusNotFound && (r.Code == minio.NoSuchKey || r.Code == minio.NoSuchUpload)
}
