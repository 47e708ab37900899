package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// probe fetches each URL and prints what it answers: for whoever has this program and no other, such as a test pod.
func probe(ctx context.Context, out io.Writer, urls []string) error {
	if len(urls) == 0 {
		return errors.New("probe needs the URLs to fetch")
	}
	client := &http.Client{Timeout: 10 * time.Second}
	var faults []error
	for _, url := range urls {
		if err := fetch(ctx, client, url); err != nil {
			faults = append(faults, err)
			continue
		}
		_, _ = fmt.Fprintln(out, "ok", url)
	}
	return errors.Join(faults...)
}

func fetch(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody) //nolint:gosec // to fetch what its operator names is what it is for
	if err != nil {
		return err
	}
	resp, err := client.Do(req) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d: %s", url, resp.StatusCode, said)
	}
	return nil
}
