package reward

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	maxVouchers      = 100_000 // of one upload
	minVoucherCode   = 4       // characters
	maxVoucherCode   = 64
	maxVoucherFaults = 20 // that are named
)

// hashOf is what a code is known by for ever.
func hashOf(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

// codeFaults notes what is wrong with codes, by their places; the codes themselves are not repeated: whoever has one can use it.
func codeFaults(codes []string, at func(place int) string) (faults []problem.Field) {
	if len(codes) < 1 || len(codes) > maxVouchers {
		return []problem.Field{{Location: "codes", Code: "out_of_range", Message: fmt.Sprintf("must be 1 to %d codes", maxVouchers)}}
	}
	first := make(map[string]int, len(codes))
	for i, c := range codes {
		if len(faults) == maxVoucherFaults {
			break
		}
		if len(c) < minVoucherCode || len(c) > maxVoucherCode || strings.ContainsFunc(c, func(r rune) bool { return r <= ' ' || r > '~' }) {
			faults = append(faults, problem.Field{Location: at(i), Code: "voucher_malformed", Message: "must be 4 to 64 printable ASCII characters, without spaces"})
			continue
		}
		if before, twice := first[c]; twice {
			faults = append(faults, problem.Field{Location: at(i), Code: "voucher_twice", Message: "is the same as at " + at(before)})
			continue
		}
		first[c] = i
	}
	return faults
}

func inBody(place int) string { return fmt.Sprintf("codes[%d]", place) }
func inFile(place int) string { return fmt.Sprintf("lines[%d]", place+2) } // from 1, after the header

// Upload adds codes of vouchers to a reward, all of them or none; at says where each stands. A code that any reward of the tenant
// has or had is refused: it would be given twice.
func (r *Rewards) Upload(ctx context.Context, id uuid.UUID, codes []string, at func(place int) string) (Reward, error) {
	if faults := codeFaults(codes, at); len(faults) > 0 {
		return Reward{}, vouchersInvalid(faults)
	}
	upload := func() (Reward, error) {
		return r.stocking(ctx, id, func(tx *pg.Tx, was Reward, by string, now time.Time) error {
			if was.Kind != Voucher {
				return problem.New(problem.Conflict, "reward_not_voucher", "This reward is handed over, not given as a code: book its stock.")
			}
			m := Movement{Move: Receive, Quantity: int64(len(codes)), Reason: "codes_uploaded", By: by, At: now}
			if err := move(tx, was, m); err != nil {
				return err
			}
			known, err := insertVouchers(ctx, tx, id, codes)
			if err != nil || len(known) == 0 {
				return err
			}
			var faults []problem.Field
			for _, place := range known {
				faults = append(faults, problem.Field{Location: at(place), Code: "voucher_known", Message: "was uploaded before"})
			}
			return vouchersInvalid(faults)
		})
	}
	made, err := upload()
	if name, _ := pg.Constraint(err); name == voucherConstraint {
		return upload() // the same codes went to another reward in the same moment: say which
	}
	return made, err
}

// voucherConstraint is what lets no code be uploaded twice.
const voucherConstraint = "reward_voucher_code"

func vouchersInvalid(faults []problem.Field) error {
	return problem.InvalidBody("vouchers_invalid", "No code was taken: mend what is named here, of which there may be more.", faults)
}

// readCodes reads a file of codes: CSV with the one column code, the codes below it.
func readCodes(from io.Reader) ([]string, error) {
	file := csv.NewReader(bufio.NewReader(from))
	file.FieldsPerRecord, file.ReuseRecord = 1, true
	header, err := file.Read()
	if err == nil && strings.TrimPrefix(header[0], "\ufeff") != "code" || errors.Is(err, io.EOF) {
		return nil, fileInvalid("lines[1]", "header_missing", "must be the header: code")
	}
	var codes []string
	for err == nil {
		var row []string
		if row, err = file.Read(); err == nil {
			if len(codes) == maxVouchers {
				return nil, fileInvalid("codes", "out_of_range", fmt.Sprintf("must be 1 to %d codes", maxVouchers))
			}
			codes = append(codes, strings.Clone(strings.TrimSpace(row[0])))
		}
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return nil, fileInvalid(fmt.Sprintf("lines[%d]", parse.Line), "csv_malformed", "must be CSV of one column")
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return slices.Clip(codes), nil
}

func fileInvalid(location, code, message string) error {
	return vouchersInvalid([]problem.Field{{Location: location, Code: code, Message: message}})
}
