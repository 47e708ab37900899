package model_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

func TestTablesAreReadAsTheyStand(t *testing.T) {
	t.Parallel()
	got, err := model.ReadTable(strings.NewReader("\ufeffid, Name \r\n1,\"a \"\"b\"\"\nc\"\r\n2,\r\n"))
	require.NoError(t, err)
	require.Equal(t, model.Table{Columns: []string{"id", " Name "}, Rows: [][]string{{"1", "a \"b\"\nc"}, {"2", ""}}}, got)
	at, err := got.Column("NAME")
	require.NoError(t, err)
	require.Equal(t, 1, at)
	_, err = got.Column("age")
	require.Equal(t, problem.Unprocessable, problem.KindOf(err))
	v, err := got.Number(0, 0)
	require.NoError(t, err)
	require.InDelta(t, 1, v, 0)
	_, err = got.Number(1, 1)
	require.Equal(t, problem.Unprocessable, problem.KindOf(err), "a missing value is no number")
}

func TestTablesThatAreTooWideAreRefused(t *testing.T) {
	t.Parallel()
	_, err := model.ReadTable(strings.NewReader("a" + strings.Repeat(",b", 1001) + "\n"))
	require.Equal(t, problem.Unprocessable, problem.KindOf(err))
}

func TestTablesThatAreTooLongAreRefused(t *testing.T) {
	t.Parallel()
	_, err := model.ReadTable(strings.NewReader("a\n" + strings.Repeat("1\n", 1_000_001)))
	require.ErrorIs(t, err, problem.New(problem.Unprocessable, "table_too_large", ""))
	whole, err := model.ReadTable(strings.NewReader("a\n" + strings.Repeat("1\n", 1_000_000)))
	require.NoError(t, err)
	require.Len(t, whole.Rows, 1_000_000)
}
