using Penstock.Aws.DynamoDb.Budgets;
using Penstock.Aws.DynamoDb.Budgets.Leases;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Aws.DynamoDb.Usage;

namespace Penstock.Aws.DynamoDb;

/// <summary>One ledger behind the ports of budgets, of usage and of alerts, put together.</summary>
internal sealed class DynamoLedger
{
    /// <param name="leases">Null where each call is reserved for and settled alone.</param>
    public DynamoLedger(DynamoDatabase database, LeaseOptions? leases = null)
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
        var books = new Books(database, holds, writer, new Audit(database, retention));
        var reservations = new Reservations(database, definitions, balances, openings, books);
        if (leases is not null) Leases = new CallLeases(database, definitions, reservations, new SliceBooking(database, balances, holds, openings, writer), booking, leases);
        Budgets = new DynamoBudgetStore(database, definitions, openings, reservations, new Settlements(database, booking, holds), books) { Leases = Leases };
    }

    public DynamoUsageStore Usage { get; }

    public DynamoAlertStore Alerts { get; }

    public DynamoBudgetStore Budgets { get; }

    public CallLeases? Leases { get; }
}
