// Package attachment keeps files on tickets and on what was said on them: pictures of what is broken, invoices, recordings.
package attachment

import (
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gabriel-vasile/mimetype"
	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Attachment is one file.
type Attachment struct {
	ID       uuid.UUID // UUIDv7
	TicketID uuid.UUID
	ReplyID  uuid.UUID // of the reply or note that it belongs to; Nil: to the ticket
	Name     string    // cleaned; see CleanName
	Type     string    // media type, one of Types
	Bytes    int64
	SHA256   []byte
	By       string // subject of whoever sent it
	At       time.Time

	secret []byte // by which it is sealed
}

const (
	// MaxBytes is how big a file may be.
	MaxBytes = 25 << 20
	// most is how many files a ticket has at most.
	most = 100
	// sniffed is how much of a file is looked at to see what it is.
	sniffed = 3072
	maxName = 150 // characters
)

// kind is a type of files that is taken.
type kind struct {
	looks      []string // what a file of it may look like
	extensions []string // the first is added to names that have none of them
}

// kinds are the types that are taken: nothing that runs, or that a browser would run. Office files are taken without macros
// only, HTML and SVG not at all.
var kinds = map[string]kind{
	"image/jpeg":      {[]string{"image/jpeg"}, []string{".jpg", ".jpeg"}},
	"image/png":       {[]string{"image/png", "image/vnd.mozilla.apng"}, []string{".png"}},
	"image/gif":       {[]string{"image/gif"}, []string{".gif"}},
	"image/webp":      {[]string{"image/webp"}, []string{".webp"}},
	"image/heic":      {[]string{"image/heic", "image/heic-sequence", "image/heif"}, []string{".heic", ".heif"}},
	"application/pdf": {[]string{"application/pdf"}, []string{".pdf"}},
	"text/plain":      {[]string{"text/plain", "text/csv", "text/tab-separated-values", "application/json", "application/x-ndjson"}, []string{".txt", ".log", ".md"}},
	"text/csv":        {[]string{"text/csv", "text/plain"}, []string{".csv"}},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   office(".docx", "wordprocessingml.document"),
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         office(".xlsx", "spreadsheetml.sheet"),
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": office(".pptx", "presentationml.presentation"),
	"application/vnd.oasis.opendocument.text":                                   {[]string{"application/vnd.oasis.opendocument.text"}, []string{".odt"}},
	"application/vnd.oasis.opendocument.spreadsheet":                            {[]string{"application/vnd.oasis.opendocument.spreadsheet"}, []string{".ods"}},
	"audio/mpeg":      {[]string{"audio/mpeg"}, []string{".mp3"}},
	"audio/mp4":       {[]string{"audio/mp4", "audio/x-m4a", "video/mp4"}, []string{".m4a"}},
	"audio/ogg":       {[]string{"audio/ogg", "application/ogg"}, []string{".ogg", ".oga", ".opus"}},
	"audio/wav":       {[]string{"audio/wav"}, []string{".wav"}},
	"video/mp4":       {[]string{"video/mp4"}, []string{".mp4"}},
	"video/quicktime": {[]string{"video/quicktime"}, []string{".mov"}},
}

func office(extension, what string) kind {
	return kind{[]string{"application/vnd.openxmlformats-officedocument." + what}, []string{extension}}
}

// Types are the media types that are taken, sorted.
func Types() []string {
	all := make([]string, 0, len(kinds))
	for t := range kinds {
		all = append(all, t)
	}
	slices.Sort(all)
	return all
}

// Recognise gives the problem attachment_type unless the beginning of a file looks like the type that it is said to be.
func Recognise(declared string, head []byte) error {
	looks := mimetype.Detect(head)
	if slices.ContainsFunc(kinds[declared].looks, looks.Is) {
		return nil
	}
	return problem.New(problem.UnsupportedMedia, "attachment_type", "The file is not what its Content-Type says: it looks like %s.", looks.String())
}

// CleanName gives a file's name as it is kept and offered: one line without folders and signs that some system reads otherwise,
// nothing that turns the direction of writing, and with an ending of its type, so that photo.exe with a picture in it is
// photo.exe.jpg.
func CleanName(name, mediaType string) string {
	name = path.Base(strings.ReplaceAll(norm.NFC.String(name), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		case strings.ContainsRune(`<>:"/|?*`, r):
			return '_'
		case unicode.IsSpace(r):
			return ' '
		default:
			return r
		}
	}, name)
	name = strings.Trim(name, " .")
	extension := strings.ToLower(path.Ext(name))
	if known := kinds[mediaType].extensions; len(known) > 0 && !slices.Contains(known, extension) {
		extension = known[0]
	} else {
		name = name[:len(name)-len(extension)]
	}
	runes := []rune(strings.TrimRight(name, " ."))
	if len(runes) == 0 || strings.Trim(name, "_") == "" {
		runes = []rune("file")
	}
	return string(runes[:min(len(runes), maxName-len(extension))]) + extension
}

// key is where the blob of an attachment is.
func key(tenant string, id uuid.UUID) string { return "tickets/" + tenant + "/" + id.String() }
