using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Aws.DynamoDb.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>What of the ledger is this process's own: its clock of numbers, its lanes, and what it remembers.</summary>
internal sealed record LedgerWriter(Numbers Numbers, Lanes Lanes, ActiveDays Days, Conversations Conversations, Thresholds Thresholds);
