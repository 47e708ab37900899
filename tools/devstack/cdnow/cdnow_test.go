package cdnow_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
)

func TestAddsUpAFile(t *testing.T) {
	t.Parallel()
	sums, err := cdnow.Add(strings.NewReader(
		" customer_id  date number_of_cds  dollar_value\r\n" +
			" 00001 19970101  1   11.77\r\n 00002 19970112  5   77.00\r\n 00002 19970112  5   77.00\r\n"))
	require.NoError(t, err)
	require.Equal(t, cdnow.Sums{Customers: 2, Orders: 3, Units: 11, RevenueMinor: 16577, Points: 165}, sums)

	for _, bad := range []string{"1 19970101 1", "1 19970101 x 1.00", "1 19970101 1 1.0", "1 19970101 1 1"} {
		_, err := cdnow.Add(strings.NewReader("header\r\n" + bad + "\r\n"))
		require.ErrorContains(t, err, "line 2", bad)
	}
}

func TestPointsAreWholeDollarsOfEachOrder(t *testing.T) {
	t.Parallel()
	sums, err := cdnow.Add(strings.NewReader("header\n1 19970101 1 0.99\n1 19970102 1 0.00\n1 19970103 1 1.01\n1 19970104 1 2.99\n"))
	require.NoError(t, err)
	require.EqualValues(t, 3, sums.Points, "not the 4 dollars of all together")
}

func TestTheRegularIsWhoCameBackMostOften(t *testing.T) {
	t.Parallel()
	id, sums, err := cdnow.Regular(strings.NewReader(
		"header\n1 19970101 1 1.00\n2 19970101 1 2.50\n3 19970101 1 9.00\n2 19970102 2 3.75\n3 19970103 1 9.00\n"))
	require.NoError(t, err)
	require.Equal(t, "2", id)
	require.Equal(t, cdnow.Sums{Customers: 1, Orders: 2, Units: 3, RevenueMinor: 625, Points: 5}, sums)
	_, _, err = cdnow.Regular(strings.NewReader("header\n"))
	require.Error(t, err)
}

func TestSyntheticFileIsWhatTheGeneratorMakes(t *testing.T) {
	t.Parallel()
	var made bytes.Buffer
	require.NoError(t, cdnow.Generate(&made, 500))
	shipped, err := os.ReadFile("synthetic.txt")
	require.NoError(t, err)
	require.True(t, bytes.Equal(shipped, made.Bytes()), "synthetic.txt is stale: run go generate")

	sums, err := cdnow.Add(bytes.NewReader(shipped))
	require.NoError(t, err)
	require.EqualValues(t, 500, sums.Customers)
	lines := strings.Split(strings.TrimSuffix(string(shipped), "\r\n"), "\r\n")
	seen := make(map[string]bool)
	for _, line := range lines {
		seen[line] = true
	}
	require.Less(t, len(seen), len(lines), "some lines stand there twice")
}

func TestMissingOriginalFallsBack(t *testing.T) {
	t.Setenv(cdnow.DataEnv, t.TempDir())
	source, err := cdnow.Find(".")
	require.NoError(t, err)
	require.False(t, source.Real)
	require.Contains(t, source.Name, "synthetic")
}

func TestTheSampleIsBroughtToTheFormatOfTheOriginal(t *testing.T) {
	t.Setenv(cdnow.DataEnv, t.TempDir())
	sample := " 00004 0001 19970101  2   29.33\r\n 00004 0001 19970118  2   29.73\r\n 00021 0002 19970101  3   63.34\r\n"
	if err := os.WriteFile(filepath.Join(os.Getenv(cdnow.DataEnv), cdnow.SampleName), []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := cdnow.FindSample(".")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := cdnow.Add(bytes.NewReader(source.Data))
	if want := (cdnow.Sums{Customers: 2, Orders: 3, Units: 7, RevenueMinor: 12240, Points: 121}); err != nil || !source.Real || sums != want {
		t.Errorf("got %+v, %v, want %+v", sums, err, want)
	}
}
