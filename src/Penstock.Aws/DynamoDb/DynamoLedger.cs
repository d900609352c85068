using Penstock.Aws.DynamoDb.Budgets;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Aws.DynamoDb.Usage;

namespace Penstock.Aws.DynamoDb;

/// <summary>One ledger behind the ports of budgets, of usage and of alerts, put together.</summary>
internal sealed class DynamoLedger
{
    public DynamoLedger(DynamoDatabase database)
    {
        var days = new ActiveDays(database);
        var attempts = new AttemptRows(database, days);
        var conversations = new Conversations(database);
        var thresholds = new Thresholds(database, new AlertItems(database));
        var writer = new LedgerWriter(new Numbers(database.Time), new Lanes(), days, conversations, thresholds);
        var retention = new Retention(database, days, attempts);
        Usage = new DynamoUsageStore(new RollupReader(database, days), attempts, conversations, retention);

        Alerts = new DynamoAlertStore(database);
        var (definitions, balances, holds) = (new Definitions(database), new Balances(database, thresholds), new HoldItems(database));
        var openings = new Openings(database, balances, holds, Usage);
        var booking = new Booking(database, definitions, balances, holds, openings, writer);
        Budgets = new DynamoBudgetStore(database, definitions, balances, openings, new Settlements(database, booking, holds), new Books(database, holds, writer, new Audit(database, retention)));
    }

    public DynamoUsageStore Usage { get; }

    public DynamoAlertStore Alerts { get; }

    public DynamoBudgetStore Budgets { get; }
}
