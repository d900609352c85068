using System.Globalization;
using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Aws.DynamoDb.Prompts;

/// <summary>
/// Templates in DynamoDB.
/// <code>
/// t#tenant#texts       name#hash                a version with its text
/// t#tenant#versions    name#time#hash           the same without it, for lists
/// t#tenant#labels      name#label               the label's last move
/// t#tenant#moves#name  time#label#number        its history
/// t#tenant#move#name   label#number             the same by number, to go back to
/// </code>
/// A move is one transaction: it is written where the label's number is still the one before and the version is there.
/// </summary>
internal sealed class DynamoPromptStore(DynamoDatabase database) : IPromptStore
{
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsThere = "attribute_exists(#pk)";
    private const string IsAt = "#number = :number";
    private const string InPartition = "#pk = :pk";
    private const string Beginning = "#pk = :pk AND begins_with(#sk, :sk)";

    private string Table => database.Tables.Prompts;

    public async Task<bool> AddAsync(PromptVersion version, CancellationToken ct)
    {
        var entry = version.Entry;
        var transaction = new Transaction();
        transaction.Put(Table, Write(TextKey(entry.Tenant, entry.Name, entry.Hash), entry).Set("text", version.Text), IsNew);
        transaction.Put(Table, Write(Item.Key(Partition(entry.Tenant, "versions"), $"{KeyPart.Of(entry.Name)}#{Time(entry.At)}#{entry.Hash}"), entry));
        return (await database.WriteAsync(transaction, database.NewToken(), ct)).Written;
    }

    public async Task<IReadOnlyList<PromptVersion>> FindAsync(TenantId tenant, string name, string hash, CancellationToken ct)
    {
        var values = new Item().Set(":pk", Partition(tenant, "texts")).Set(":sk", $"{KeyPart.Of(name)}#{hash}");
        var items = await database.QueryAsync(Table, Beginning, values, ct, limit: 2);
        return items.ConvertAll(item => new PromptVersion(ReadEntry(tenant, item), item.Text("text")));
    }

    public async Task<IReadOnlyList<PromptEntry>> ListAsync(TenantId tenant, string? name, CancellationToken ct)
    {
        var items = await PartAsync(Partition(tenant, "versions"), name, ct);
        return [.. items.Select(item => ReadEntry(tenant, item)).OrderByDescending(entry => entry.At).ThenBy(entry => entry.Name, StringComparer.Ordinal).ThenBy(entry => entry.Hash, StringComparer.Ordinal)];
    }

    public async Task<PromptMove?> LabelAsync(TenantId tenant, string name, string label, CancellationToken ct) =>
        await database.GetAsync(Table, LabelKey(tenant, name, label), ct) is { } item ? ReadMove(tenant, item) : null;

    public async Task<IReadOnlyList<PromptMove>> LabelsAsync(TenantId tenant, string? name, CancellationToken ct)
    {
        var items = await PartAsync(Partition(tenant, "labels"), name, ct);
        return [.. items.Select(item => ReadMove(tenant, item)).OrderBy(move => move.Name, StringComparer.Ordinal).ThenBy(move => move.Label, StringComparer.Ordinal)];
    }

    public async Task<PromptMoved> MoveAsync(PromptMove move, CancellationToken ct)
    {
        var transaction = new Transaction();
        var version = transaction.Check(Table, TextKey(move.Tenant, move.Name, move.To), IsThere);
        var label = LabelKey(move.Tenant, move.Name, move.Label);
        if (move.Number == 1) transaction.Put(Table, Write(label, move), IsNew);
        else transaction.Put(Table, Write(label, move), IsAt, new Item().Set(":number", move.Number - 1));
        transaction.Put(Table, Write(Item.Key(Partition(move.Tenant, "moves", move.Name), $"{Time(move.At)}#{KeyPart.Of(move.Label)}#{Number(move.Number)}"), move));
        transaction.Put(Table, Write(MoveKey(move.Tenant, move.Name, move.Label, move.Number), move), IsNew);
        var outcome = await database.WriteAsync(transaction, database.NewToken(), ct);
        return outcome.Written ? PromptMoved.Moved : outcome.RefusedAt(version) ? PromptMoved.NoSuchVersion : PromptMoved.Overtaken;
    }

    public async Task<PromptMove?> MoveOfAsync(TenantId tenant, string name, string label, long number, CancellationToken ct) =>
        await database.GetAsync(Table, MoveKey(tenant, name, label, number), ct) is { } item ? ReadMove(tenant, item) : null;

    public async Task<IReadOnlyList<PromptMove>> HistoryAsync(TenantId tenant, string name, int limit, CancellationToken ct)
    {
        var items = await database.QueryAsync(Table, InPartition, new Item().Set(":pk", Partition(tenant, "moves", name)), ct, limit: limit, newestFirst: true);
        return items.ConvertAll(item => ReadMove(tenant, item));
    }

    private Task<List<Item>> PartAsync(string partition, string? name, CancellationToken ct) => name is null
        ? database.QueryAsync(Table, InPartition, new Item().Set(":pk", partition), ct)
        : database.QueryAsync(Table, Beginning, new Item().Set(":pk", partition).Set(":sk", $"{KeyPart.Of(name)}#"), ct);

    private static string Partition(TenantId tenant, string part) => $"t#{KeyPart.Of(tenant.Value)}#{part}";

    private static string Partition(TenantId tenant, string part, string name) => $"{Partition(tenant, part)}#{KeyPart.Of(name)}";

    private static Item TextKey(TenantId tenant, string name, string hash) => Item.Key(Partition(tenant, "texts"), $"{KeyPart.Of(name)}#{hash}");

    private static Item LabelKey(TenantId tenant, string name, string label) => Item.Key(Partition(tenant, "labels"), $"{KeyPart.Of(name)}#{KeyPart.Of(label)}");

    private static Item MoveKey(TenantId tenant, string name, string label, long number) => Item.Key(Partition(tenant, "move", name), $"{KeyPart.Of(label)}#{Number(number)}");

    private static string Time(DateTimeOffset at) => at.ToUnixTimeMilliseconds().ToString("D15", CultureInfo.InvariantCulture);

    private static string Number(long number) => number.ToString("D12", CultureInfo.InvariantCulture);

    private static Item Write(Item key, PromptEntry entry) => key
        .Set("name", entry.Name)
        .Set("hash", entry.Hash)
        .Set("at", entry.At.ToUnixTimeMilliseconds())
        .Set("by", entry.By);

    private static PromptEntry ReadEntry(TenantId tenant, Item item) =>
        new(tenant, item.Text("name"), item.Text("hash"), DateTimeOffset.FromUnixTimeMilliseconds(item.Long("at")), item.Text("by"));

    private static Item Write(Item key, PromptMove move) => key
        .Set("name", move.Name)
        .Set("label", move.Label)
        .Set("number", move.Number)
        .Set("from", move.From)
        .Set("to", move.To)
        .Set("before", move.Before)
        .Set("by", move.By)
        .Set("at", move.At.ToUnixTimeMilliseconds())
        .Set("reason", move.Reason);

    private static PromptMove ReadMove(TenantId tenant, Item item) => new()
    {
        Tenant = tenant,
        Name = item.Text("name"),
        Label = item.Text("label"),
        Number = item.Long("number"),
        From = item.TextOrNull("from"),
        To = item.Text("to"),
        Before = item.Long("before"),
        By = item.Text("by"),
        At = DateTimeOffset.FromUnixTimeMilliseconds(item.Long("at")),
        Reason = item.Text("reason"),
    };
}
