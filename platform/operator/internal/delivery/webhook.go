package delivery

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Webhook says where and how events are sent.
type Webhook struct {
	URL string
	// Keys sign each event, at least one: the one in force first, and the one before while keys are changed.
	Keys     []Key
	Timeout  time.Duration // of one attempt
	Attempts int           // before an event goes to the dead letters
	First    time.Duration // the pause after the first attempt; it doubles
	Longest  time.Duration // the longest pause
	Dead     string        // the topic of dead letters
}

// Key signs webhooks. It does not show itself in logs.
type Key struct{ secret string }

// String hides the key.
func (Key) String() string { return "(a signing key)" }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }

// ParseKey reads a key as the Standard Webhooks write it: whsec_ and 24 to 64 bytes in base64.
func ParseKey(text string) (Key, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return Key{}, errors.New("a signing key is whsec_ and 24 to 64 bytes in base64: make one by openssl rand -base64 32")
	}
	return Key{"whsec_" + encoded}, nil
}

const (
	sent      = 20      // events between two positions
	answerMax = 1 << 14 // bytes of an answer that are read, so that its connection can be used again
)

// The headers that a dead letter has besides those of its event.
const (
	headerDeadReason   = "guanxi_dead_reason"
	headerDeadAttempts = "guanxi_dead_attempts"
	headerDeadSource   = "guanxi_dead_source" // topic/partition/offset
)

// hook sends events one after the other. One that is not taken holds up those behind it in its partition, so that an aggregate's
// events keep their order, until it is a dead letter.
func (w *worker) hook(client *kgo.Client) sink {
	return func(ctx context.Context, records []*kgo.Record) (int, error) {
		n := 0
		for i, r := range records {
			if !w.job.wants(r) {
				continue
			}
			if err := w.send(ctx, client, r); err != nil {
				return i, err
			}
			if n++; n == sent {
				return i + 1, nil
			}
		}
		return len(records), nil
	}
}

// send tries until the event is taken or a dead letter. The error means that neither is so.
func (w *worker) send(ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	p := partition{r.Topic, r.Partition}
	body, err := structured(r)
	if err != nil {
		return w.bury(ctx, client, r, 0, err)
	}
	hook := w.job.Webhook
	pause := hook.First
	for attempt := 1; ; attempt++ {
		wait, err := w.post(ctx, r, body)
		if err == nil {
			w.troubled(p, "")
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if attempt >= hook.Attempts {
			if err := w.bury(ctx, client, r, attempt, err); err != nil {
				return err
			}
			w.troubled(p, "")
			return nil
		}
		w.troubled(p, fmt.Sprintf("attempt %d of %d: %s", attempt, hook.Attempts, err))
		if !sleep(ctx, min(max(spread(pause), wait), hook.Longest)) {
			return context.Cause(ctx)
		}
		pause = min(2*pause, hook.Longest)
	}
}

// post makes one attempt. wait is how long the receiver asks to be left alone.
func (w *worker) post(ctx context.Context, r *kgo.Record, body []byte) (wait time.Duration, err error) {
	hook := w.job.Webhook
	ctx, cancel := context.WithTimeout(ctx, hook.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address of the webhook cannot be read")
	}
	id, now := header(r, "ce_id"), time.Now()
	signatures := make([]string, len(hook.Keys))
	for i, key := range hook.Keys {
		signer, err := standardwebhooks.NewWebhook(key.secret)
		if err != nil {
			return 0, errors.New("a signing key cannot be read")
		}
		if signatures[i], err = signer.Sign(id, now, body); err != nil {
			return 0, errors.New("the event cannot be signed")
		}
	}
	req.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	req.Header.Set("User-Agent", "guanxi")
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	if trace := header(r, "traceparent"); trace != "" {
		req.Header.Set("traceparent", trace)
	}
	resp, err := w.opt.HTTP.Do(req)
	if err != nil {
		return 0, unanswered(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerMax)
	if resp.StatusCode/100 == 2 {
		return 0, nil
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		wait = time.Duration(min(s, 3600)) * time.Second
	}
	return wait, fmt.Errorf("the webhook answered %d", resp.StatusCode)
}

// unanswered says why there was no answer without the address, whose path and query may be secret.
func unanswered(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		if u.Timeout() {
			return errors.New("the webhook did not answer in time")
		}
		err = u.Err
	}
	return fmt.Errorf("the webhook did not answer: %w", err)
}

// bury writes an event that was not taken to the dead letters.
func (w *worker) bury(ctx context.Context, client *kgo.Client, r *kgo.Record, attempts int, why error) error {
	w.opt.Log.Warn("an event is a dead letter", "subscription", w.job.Name, "event", header(r, "ce_id"), "attempts", attempts, "reason", why)
	dead := &kgo.Record{Topic: w.job.Webhook.Dead, Partition: 0, Key: r.Key, Value: r.Value, Headers: append(r.Headers[:len(r.Headers):len(r.Headers)],
		kgo.RecordHeader{Key: headerDeadReason, Value: []byte(why.Error())},
		kgo.RecordHeader{Key: headerDeadAttempts, Value: []byte(strconv.Itoa(attempts))},
		kgo.RecordHeader{Key: headerDeadSource, Value: fmt.Appendf(nil, "%s/%d/%d", r.Topic, r.Partition, r.Offset)})}
	if err := client.ProduceSync(ctx, dead).FirstErr(); err != nil {
		return fmt.Errorf("write to topic %s: %w", dead.Topic, err)
	}
	return nil
}

// structured writes an event as a CloudEvent in structured mode: everything about it is in the body then, where the signature
// covers it.
func structured(r *kgo.Record) ([]byte, error) {
	event := map[string]any{"datacontenttype": "application/json", "data": json.RawMessage(r.Value)}
	for _, h := range r.Headers {
		if name, ok := strings.CutPrefix(h.Key, "ce_"); ok {
			event[name] = string(h.Value)
		}
	}
	if event["id"] == nil || event["type"] == nil || !json.Valid(r.Value) {
		return nil, errors.New("what stands in the topic is not an event")
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil {
		return nil, errors.New("what stands in the topic is not an event")
	}
	return bytes.TrimSpace(body.Bytes()), nil
}
