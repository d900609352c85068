using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;

namespace Penstock.Aws.DynamoDb;

/// <summary>The tables' names and schemas. All are on demand, and DynamoDB itself drops items whose <c>ttl</c> (seconds since 1970) has passed.</summary>
/// <remarks>
/// <code>
/// table                    key                          index                     holds
/// ai-platform-keys         pk, sk                                                 keys and their list by tenant; provider keys, sealed; budgets and their version
/// ai-platform-budgets      userId                                                 balances: one item a budget and period
/// ai-platform-ledger       pk, sk                       by-due (due, dueAt)       holds, entries, rollups, conversations
///                                                       by-number (log, number)
/// ai-platform-usage        userId, timestamp (number)                             attempts by the time at which they began
/// ai-platform-idempotency  id                           by-due (due, dueAt)       claims on names, and their answers in pieces
/// ai-cache                 id                           by-due (due, dueAt)       answers that may be given again
/// ai-platform-limits       id                                                     buckets and slots: one item each
/// ai-prompts               pk, sk                                                 versions of templates, labels and their moves
/// ai-runs                  pk, sk                       by-due (due, dueKey)      agent runs, their journals, inboxes and growing answers
/// ai-memory                pk, sk                                                 threads of conversations, and facts about end users
/// ai-jobs                  pk, sk                       by-due (due, dueKey)      jobs, what they asked and what was answered
/// </code>
/// A partition's name begins with its tenant (<c>t#acme#…</c>), except where the tenant is what is looked for. Where many calls write at once, the
/// name ends with a shard.
/// </remarks>
internal sealed class DynamoTables(string prefix)
{
    public string Keys { get; } = $"{prefix}ai-platform-keys";

    public string Budgets { get; } = $"{prefix}ai-platform-budgets";

    public string Ledger { get; } = $"{prefix}ai-platform-ledger";

    public string Usage { get; } = $"{prefix}ai-platform-usage";

    /// <summary>Apart from the cache, which may be emptied at any time.</summary>
    public string Idempotency { get; } = $"{prefix}ai-platform-idempotency";

    public string Cache { get; } = $"{prefix}ai-cache";

    public string Limits { get; } = $"{prefix}ai-platform-limits";

    public string Prompts { get; } = $"{prefix}ai-prompts";

    public string Runs { get; } = $"{prefix}ai-runs";

    /// <summary>Apart from runs, which end and are swept away.</summary>
    public string Memory { get; } = $"{prefix}ai-memory";

    public string Jobs { get; } = $"{prefix}ai-jobs";

    /// <summary>The attribute by which DynamoDB drops items, in seconds since 1970.</summary>
    public const string Ttl = "ttl";

    public const string ByDue = "by-due";

    public const string ByNumber = "by-number";

    /// <summary>Creates the tables that are missing and waits until all can be used. Several nodes may do so at once.</summary>
    public async Task EnsureAsync(IAmazonDynamoDB client, TimeProvider time, CancellationToken ct)
    {
        foreach (var request in Schemas()) await CreateAsync(client, request, ct);
        foreach (var request in Schemas()) await UseAsync(client, request.TableName, time, ct);
    }

    /// <summary>Throws <see cref="DynamoUnavailableException"/> that names the tables that are missing.</summary>
    public async Task CheckAsync(IAmazonDynamoDB client, CancellationToken ct)
    {
        var missing = await Task.WhenAll(Schemas().Select(async schema =>
        {
            try
            {
                await client.DescribeTableAsync(schema.TableName, ct);
                return null;
            }
            catch (ResourceNotFoundException)
            {
                return $"'{schema.TableName}'";
            }
        }));
        var names = string.Join(", ", missing.OfType<string>());
        if (names.Length > 0) throw new DynamoUnavailableException($"DynamoDB has no table {names}. Deploy the tables, or create them with ./penstock db migrate.");
    }

    /// <summary>Every table as it is created, here or by a deployment.</summary>
    public IEnumerable<CreateTableRequest> Schemas()
    {
        yield return Table(Keys, ("pk", KeyType.HASH, ScalarAttributeType.S), ("sk", KeyType.RANGE, ScalarAttributeType.S));
        yield return Table(Budgets, ("userId", KeyType.HASH, ScalarAttributeType.S));
        var ledger = Table(Ledger, ("pk", KeyType.HASH, ScalarAttributeType.S), ("sk", KeyType.RANGE, ScalarAttributeType.S));
        Index(ledger, ByDue, "due", "dueAt", ProjectionType.ALL);
        Index(ledger, ByNumber, "log", "number", ProjectionType.ALL);
        yield return ledger;
        yield return Table(Usage, ("userId", KeyType.HASH, ScalarAttributeType.S), ("timestamp", KeyType.RANGE, ScalarAttributeType.N));
        yield return Table(Limits, ("id", KeyType.HASH, ScalarAttributeType.S));
        yield return Table(Prompts, ("pk", KeyType.HASH, ScalarAttributeType.S), ("sk", KeyType.RANGE, ScalarAttributeType.S));
        var runs = Table(Runs, ("pk", KeyType.HASH, ScalarAttributeType.S), ("sk", KeyType.RANGE, ScalarAttributeType.S));
        Index(runs, ByDue, ("due", ScalarAttributeType.S), ("dueKey", ScalarAttributeType.S), ProjectionType.KEYS_ONLY);
        yield return runs;
        yield return Table(Memory, ("pk", KeyType.HASH, ScalarAttributeType.S), ("sk", KeyType.RANGE, ScalarAttributeType.S));
        var jobs = Table(Jobs, ("pk", KeyType.HASH, ScalarAttributeType.S), ("sk", KeyType.RANGE, ScalarAttributeType.S));
        Index(jobs, ByDue, ("due", ScalarAttributeType.S), ("dueKey", ScalarAttributeType.S), ProjectionType.KEYS_ONLY);
        yield return jobs;
        foreach (var name in new[] { Idempotency, Cache })
        {
            var answers = Table(name, ("id", KeyType.HASH, ScalarAttributeType.S));
            Index(answers, ByDue, "due", "dueAt", ProjectionType.KEYS_ONLY);
            yield return answers;
        }
    }

    private static CreateTableRequest Table(string name, params ReadOnlySpan<(string Name, KeyType Key, ScalarAttributeType Type)> keys)
    {
        var request = new CreateTableRequest { TableName = name, BillingMode = BillingMode.PAY_PER_REQUEST, KeySchema = [], AttributeDefinitions = [] };
        foreach (var (key, kind, type) in keys)
        {
            request.KeySchema.Add(new KeySchemaElement(key, kind));
            request.AttributeDefinitions.Add(new AttributeDefinition(key, type));
        }

        return request;
    }

    private static void Index(CreateTableRequest table, string name, string text, string number, ProjectionType projection) =>
        Index(table, name, (text, ScalarAttributeType.S), (number, ScalarAttributeType.N), projection);

    private static void Index(CreateTableRequest table, string name, (string Name, ScalarAttributeType Type) hash, (string Name, ScalarAttributeType Type) range, ProjectionType projection)
    {
        table.AttributeDefinitions.Add(new AttributeDefinition(hash.Name, hash.Type));
        table.AttributeDefinitions.Add(new AttributeDefinition(range.Name, range.Type));
        (table.GlobalSecondaryIndexes ??= []).Add(new GlobalSecondaryIndex
        {
            IndexName = name,
            KeySchema = [new KeySchemaElement(hash.Name, KeyType.HASH), new KeySchemaElement(range.Name, KeyType.RANGE)],
            Projection = new Projection { ProjectionType = projection },
        });
    }

    private static async Task CreateAsync(IAmazonDynamoDB client, CreateTableRequest request, CancellationToken ct)
    {
        try
        {
            await client.CreateTableAsync(request, ct);
        }
        catch (ResourceInUseException)
        {
            // It is there, or another node is creating it.
        }
    }

    private static async Task UseAsync(IAmazonDynamoDB client, string table, TimeProvider time, CancellationToken ct)
    {
        var backoff = new Backoff(time);
        while ((await client.DescribeTableAsync(table, ct)).Table.TableStatus != TableStatus.ACTIVE)
        {
            if (!await backoff.WaitAsync(ct)) throw new DynamoBusyException($"Table '{table}' is still being created.");
        }

        var ttl = (await client.DescribeTimeToLiveAsync(new DescribeTimeToLiveRequest { TableName = table }, ct)).TimeToLiveDescription?.TimeToLiveStatus;
        if (ttl == TimeToLiveStatus.ENABLED || ttl == TimeToLiveStatus.ENABLING) return;
        await client.UpdateTimeToLiveAsync(
            new UpdateTimeToLiveRequest { TableName = table, TimeToLiveSpecification = new TimeToLiveSpecification { AttributeName = Ttl, Enabled = true } },
            ct);
    }
}
