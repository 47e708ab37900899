package bus

import (
	"bytes"
	"fmt"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The headers of a CloudEvent in Kafka's binary mode.
const (
	headerContentType  = "content-type"
	headerSpecVersion  = "ce_specversion"
	headerID           = "ce_id"
	headerType         = "ce_type"
	headerSource       = "ce_source"
	headerSubject      = "ce_subject"
	headerTime         = "ce_time"
	headerSchema       = "ce_dataschema"
	headerPartitionKey = "ce_partitionkey"
	headerTenant       = "ce_tenant"
	headerSequence     = "ce_sequence"
	headerTraceParent  = "traceparent"
	headerTraceState   = "tracestate"

	contentType = "application/json"
	specVersion = "1.0"
)

// Encode writes an event as a CloudEvent in Kafka's binary mode: attributes in headers, always in the same order, and
// Data as it is. Topic, partition and key (the aggregate's id) are set as well. An Epoch below 1 counts as 1. The record's
// own time stays open: it becomes that of writing, so it rises along the partition, which [Client.OffsetAt] needs, and a
// broker that refuses times from the future never sees one. The event's time is ce_time.
func Encode(e Event) Message {
	headers := make([]Header, 0, 13)
	add := func(key, value string) { headers = append(headers, Header{Key: key, Value: []byte(value)}) }
	add(headerContentType, contentType)
	add(headerSpecVersion, specVersion)
	add(headerID, e.ID.String())
	add(headerType, e.Type)
	add(headerSource, e.Source+"?epoch="+strconv.Itoa(max(e.Epoch, 1)))
	add(headerSubject, e.AggregateType+"/"+e.AggregateID)
	add(headerTime, e.Time.UTC().Format(time.RFC3339Nano))
	if e.Schema != "" {
		add(headerSchema, e.Schema)
	}
	add(headerPartitionKey, e.AggregateID)
	add(headerTenant, e.Tenant)
	add(headerSequence, strconv.FormatInt(e.Sequence, 10))
	for _, key := range []string{headerTraceParent, headerTraceState} {
		if v := e.Trace[key]; v != "" {
			add(key, v)
		}
	}
	return Message{
		Topic: e.Topic, Partition: Shard(e.Tenant, e.AggregateType, e.AggregateID),
		Key: []byte(e.AggregateID), Value: e.Data, Headers: headers,
	}
}

// DecodeError says why a message is not an event. Trying again cannot help.
type DecodeError struct {
	Header string // the header at fault; empty when it is the value
	Reason string // what is wrong with it, without its contents
}

// Error names the header, or the value, and what is wrong.
func (e *DecodeError) Error() string {
	if e.Header == "" {
		return "message is not an event: value " + e.Reason
	}
	return fmt.Sprintf("message is not an event: header %s %s", e.Header, e.Reason)
}

// Decode reads a CloudEvent in Kafka's binary mode. Headers it does not know are left alone; a *[DecodeError] names the
// first one that is missing, stands there twice or cannot be read. That Data is JSON of Type is for the caller to find out.
func Decode(m Message) (Event, error) {
	h, err := collect(m.Headers)
	if err != nil {
		return Event{}, err
	}
	e := Event{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Data: m.Value, Schema: h[headerSchema]}
	if err := envelope(h); err != nil {
		return Event{}, err
	}
	if e.ID, err = uuid.Parse(h[headerID]); err != nil {
		return Event{}, &DecodeError{headerID, "is not a UUID"}
	}
	e.Type, e.Tenant = h[headerType], h[headerTenant]
	if e.Source, e.Epoch, err = parseSource(h[headerSource]); err != nil {
		return Event{}, err
	}
	var ok bool
	if e.AggregateType, e.AggregateID, ok = strings.Cut(h[headerSubject], "/"); !ok || e.AggregateType == "" || e.AggregateID == "" {
		return Event{}, &DecodeError{headerSubject, "is not <aggregate type>/<aggregate id>"}
	}
	if e.Sequence, err = strconv.ParseInt(h[headerSequence], 10, 64); err != nil || e.Sequence < 1 {
		return Event{}, &DecodeError{headerSequence, "is not a whole number from 1"}
	}
	if e.Time, err = time.Parse(time.RFC3339Nano, h[headerTime]); err != nil {
		return Event{}, &DecodeError{headerTime, "is not an RFC 3339 time"}
	}
	e.Time = e.Time.UTC()
	for _, key := range []string{headerTraceParent, headerTraceState} {
		if v := h[key]; v != "" {
			if e.Trace == nil {
				e.Trace = make(map[string]string, 2)
			}
			e.Trace[key] = v
		}
	}
	switch {
	case len(m.Value) == 0:
		return Event{}, &DecodeError{"", "is empty"}
	case !utf8.Valid(m.Value):
		return Event{}, &DecodeError{"", "is not UTF-8"}
	}
	return e, nil
}

// collect gathers the headers that make a CloudEvent. Others may stand there any number of times, with any bytes.
func collect(headers []Header) (map[string]string, error) {
	h := make(map[string]string, len(headers))
	for _, header := range headers {
		switch header.Key {
		case headerContentType, headerSpecVersion, headerID, headerType, headerSource, headerSubject, headerTime,
			headerSchema, headerPartitionKey, headerTenant, headerSequence:
		case headerTraceParent, headerTraceState:
			// A broken trace is no reason to refuse an event; the first one counts.
			if _, twice := h[header.Key]; twice || !utf8.Valid(header.Value) {
				continue
			}
		default:
			continue
		}
		if _, twice := h[header.Key]; twice {
			return nil, &DecodeError{header.Key, "stands there twice"}
		}
		if !utf8.Valid(header.Value) {
			return nil, &DecodeError{header.Key, "is not UTF-8"}
		}
		if bytes.IndexByte(header.Value, 0) >= 0 {
			return nil, &DecodeError{header.Key, "contains U+0000"}
		}
		h[header.Key] = string(header.Value)
	}
	return h, nil
}

// envelope checks what every event must carry.
func envelope(h map[string]string) error {
	for _, key := range []string{
		headerSpecVersion, headerContentType, headerID, headerType, headerSource, headerSubject, headerTime, headerTenant, headerSequence,
	} {
		if h[key] == "" {
			return &DecodeError{key, "is missing or empty"}
		}
	}
	if h[headerSpecVersion] != specVersion {
		return &DecodeError{headerSpecVersion, "is not " + specVersion}
	}
	media, _, err := mime.ParseMediaType(h[headerContentType])
	if err != nil || media != contentType {
		return &DecodeError{headerContentType, "is not " + contentType}
	}
	return nil
}

// parseSource splits /guanxi/<service>?epoch=<n>; a source without an epoch is in its first.
func parseSource(source string) (path string, epoch int, err error) {
	path, query, _ := strings.Cut(source, "?")
	values, err := url.ParseQuery(query)
	if err != nil || path == "" {
		return "", 0, &DecodeError{headerSource, "is not a path with a query"}
	}
	if !values.Has("epoch") {
		return path, 1, nil
	}
	if epoch, err = strconv.Atoi(values.Get("epoch")); err != nil || epoch < 1 {
		return "", 0, &DecodeError{headerSource, "has an epoch that is not a whole number from 1"}
	}
	return path, epoch, nil
}
