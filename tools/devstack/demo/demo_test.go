package demo

import (
	"bytes"
	"encoding/csv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShopIsWholeInItself(t *testing.T) {
	t.Parallel()
	customers := table(t, pizzaCustomers)
	orders := table(t, pizzaOrders)
	require.Len(t, customers, 40)
	require.Len(t, orders, 120)
	known, cards := map[string]bool{}, map[string]bool{}
	for _, c := range customers {
		require.False(t, known[c["number"]])
		known[c["number"]] = true
		if card := c["card"]; card != "" {
			require.False(t, cards[card], "a card is one customer's")
			cards[card] = true
		}
	}
	for _, g := range grievances() {
		require.True(t, known[g.customer], g.customer)
	}
	require.True(t, known[redeemer])
	numbers := map[string]bool{}
	for _, o := range orders {
		require.True(t, known[o["customer"]], o["order"])
		require.False(t, numbers[o["order"]])
		numbers[o["order"]] = true
	}
}

func table(t *testing.T, data []byte) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	require.NoError(t, err)
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}
