using System.Globalization;
using System.Text;
using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Threads and facts in DynamoDB. What a run said is one transaction, whose messages take the thread's next numbers.
/// <code>
/// t#T#p#P#c#C   head     the number of the last message
///               m#number a message
///               r#run    a run whose messages are there
/// t#T#p#P#u#U   f#id     a fact
/// </code>
/// All facts of an end user are read to find the newest: they are sentences, and some hundreds of them are one read.
/// </summary>
internal sealed class DynamoMemoryStore(DynamoDatabase database) : IMemoryStore
{
    private const string Head = "head";
    private const string FirstMessage = "m#";
    private const string InPartition = "#pk = :pk";
    private const string Beginning = "#pk = :pk AND begins_with(#sk, :sk)";
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsThere = "attribute_exists(#pk)";
    private const string IsAsSeen = "#last = :seen";
    private const string SetLast = "SET #last = :last";

    // Of the hundred that a transaction holds, beside the thread's head and the run.
    private const int MostMessages = 90;

    private string Table => database.Tables.Memory;

    public async Task<bool> AddMessagesAsync(ThreadId thread, RunId run, IReadOnlyList<ThreadMessage> messages, CancellationToken ct)
    {
        var (partition, token) = (Partition(thread), database.NewToken());
        var items = messages.Select(message => new Item().Set("pk", partition).Set("role", message.Role).Set("text", message.Text).Set("at", RunItem.Time(message.At))).ToList();
        var bytes = messages.Sum(message => (long)Encoding.UTF8.GetByteCount(message.Text));
        if (items.Count > MostMessages || bytes > RunAppend.LargestBodies) throw new ArgumentException($"{items.Count} messages of {bytes} bytes are more than one write holds ({MostMessages}, {RunAppend.LargestBodies} bytes).", nameof(messages));
        var mark = Item.Key(partition, $"r#{KeyPart.Of(run.Value)}");
        var backoff = new Backoff(database.Time);
        do
        {
            var last = (await database.GetAsync(Table, Item.Key(partition, Head), ct))?.Long("last") ?? 0;
            var transaction = new Transaction();
            var marked = transaction.Put(Table, mark.Copy().Set("token", token), IsNew);
            Count(transaction, partition, last, items.Count);
            foreach (var item in items) transaction.Put(Table, item.Copy().Set("sk", Message(++last)), IsNew);
            var outcome = await database.WriteAsync(transaction, async () => (await database.GetAsync(Table, mark, ct))?.Text("token") == token, ct);
            if (outcome.Written) return true;
            // With this token it was written, and the answer lost.
            if (outcome.Refused.TryGetValue(marked, out var before)) return before?.TextOrNull("token") == token;
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"What run '{run}' said could not be added to its thread: too many write to it at once. Try again.");
    }

    public async Task<IReadOnlyList<ThreadMessage>> MessagesAsync(ThreadId thread, int limit, CancellationToken ct)
    {
        if (limit <= 0) return [];
        var items = await database.QueryAsync(Table, Beginning, new Item().Set(":pk", Partition(thread)).Set(":sk", FirstMessage), ct, limit: limit, newestFirst: true);
        items.Reverse();
        return items.ConvertAll(item => new ThreadMessage(item.Text("role"), item.Text("text"), RunItem.Time(item.Long("at"))));
    }

    public async Task<int> ForgetThreadAsync(ThreadId thread, CancellationToken ct)
    {
        var partition = Partition(thread);
        var items = await database.QueryAsync(Table, InPartition, new Item().Set(":pk", partition), ct);
        var head = items.Find(item => item.Text("sk") == Head);
        await database.DeleteAsync(Table, [.. items.Where(item => item != head).Select(item => Item.Key(partition, item.Text("sk")))], ct);
        // What was said meanwhile keeps its numbers.
        if (head is not null) await database.DeleteAsync(Table, Item.Key(partition, Head), IsAsSeen, new Item().Set(":seen", head.Long("last")), ct);
        return items.Count(item => item.Text("sk").StartsWith(FirstMessage, StringComparison.Ordinal));
    }

    public Task PutFactAsync(MemoryFact fact, CancellationToken ct) => database.PutAsync(
        Table,
        FactKey(fact.Owner, fact.Id).Set("id", fact.Id).Set("text", fact.Text).Set("at", RunItem.Time(fact.At)).Set("run", fact.Run?.Value),
        ct);

    public async Task<IReadOnlyList<MemoryFact>> FactsAsync(MemoryOwner owner, int limit, CancellationToken ct)
    {
        var items = await database.QueryAsync(Table, InPartition, new Item().Set(":pk", Partition(owner)), ct);
        var facts = items.Select(item => new MemoryFact(owner, item.Text("id"), item.Text("text"), RunItem.Time(item.Long("at")), item.TextOrNull("run") is { } run ? new RunId(run) : null));
        return [.. facts.OrderByDescending(fact => fact.At).ThenByDescending(fact => fact.Id, StringComparer.Ordinal).Take(limit)];
    }

    public async Task<bool> ForgetFactAsync(MemoryOwner owner, string id, CancellationToken ct)
    {
        var transaction = new Transaction();
        transaction.Delete(Table, FactKey(owner, id), IsThere);
        // Its token lets a try whose answer was lost be known for what it is.
        return (await database.WriteAsync(transaction, database.NewToken(), ct)).Written;
    }

    public async Task<int> ForgetAllAsync(MemoryOwner owner, CancellationToken ct)
    {
        var items = await database.QueryAsync(Table, InPartition, new Item().Set(":pk", Partition(owner)), ct);
        await database.DeleteAsync(Table, [.. items.Select(item => Item.Key(item.Text("pk"), item.Text("sk")))], ct);
        return items.Count;
    }

    private void Count(Transaction transaction, string partition, long last, int added)
    {
        var key = Item.Key(partition, Head);
        if (last == 0) transaction.Update(Table, key, SetLast, IsNew, new Item().Set(":last", last + added));
        else transaction.Update(Table, key, SetLast, IsAsSeen, new Item().Set(":last", last + added).Set(":seen", last));
    }

    private static string Message(long number) => string.Create(CultureInfo.InvariantCulture, $"{FirstMessage}{number:D12}");

    private static string Partition(TenantId tenant, ProjectId project) => $"{RunKeys.Tenant(tenant)}#p#{KeyPart.Of(project.Value)}";

    private static string Partition(ThreadId thread) => $"{Partition(thread.Tenant, thread.Project)}#c#{KeyPart.Of(thread.Conversation)}";

    private static string Partition(MemoryOwner owner) => $"{Partition(owner.Tenant, owner.Project)}#u#{KeyPart.Of(owner.User)}";

    private static Item FactKey(MemoryOwner owner, string id) => Item.Key(Partition(owner), $"f#{KeyPart.Of(id)}");
}
