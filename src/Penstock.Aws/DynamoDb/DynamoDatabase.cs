using System.Net;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb;

/// <summary>
/// The tables, and the few ways in which the stores use them. Reads are strongly consistent except those of an index. What DynamoDB answers when it is
/// busy is tried again here, within bounds, so that the stores see only what was decided.
/// </summary>
internal sealed class DynamoDatabase(IAmazonDynamoDB client, DynamoTables tables, TimeProvider time, IdSource ids) : IDisposable
{
    private const int MostKeysAtOnce = 100;
    private const int MostWritesAtOnce = 25;

    // Several tries that time out; a client waits no longer for one read or write.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);

    public DynamoTables Tables => tables;

    public TimeProvider Time => time;

    public IAmazonDynamoDB Client => client;

    /// <summary>Names one transaction, through all its repetitions.</summary>
    public string NewToken() => ids.Hex(16);

    public async Task<Item?> GetAsync(string table, Item key, CancellationToken ct)
    {
        var answer = await TryAsync(() => client.GetItemAsync(new GetItemRequest { TableName = table, Key = key.Attributes, ConsistentRead = true }, ct), "read an item", ct);
        return answer.Item is { Count: > 0 } item ? new Item(item) : null;
    }

    /// <summary>Those of the items that are there, in any order.</summary>
    public async Task<List<Item>> GetAsync(string table, IReadOnlyCollection<Item> keys, CancellationToken ct)
    {
        var found = new List<Item>(keys.Count);
        foreach (var some in keys.Chunk(MostKeysAtOnce))
        {
            var wanted = new Dictionary<string, KeysAndAttributes> { [table] = new() { Keys = [.. some.Select(key => key.Attributes)], ConsistentRead = true } };
            var backoff = new Backoff(time);
            while (wanted is { Count: > 0 })
            {
                var request = new BatchGetItemRequest { RequestItems = wanted };
                var answer = await TryAsync(() => client.BatchGetItemAsync(request, ct), "read a batch", ct);
                if (answer.Responses?.GetValueOrDefault(table) is { } items) found.AddRange(items.Select(item => new Item(item)));
                wanted = answer.UnprocessedKeys;
                if (wanted is { Count: > 0 } && !await backoff.WaitAsync(ct)) throw Busy("read a batch", null);
            }
        }

        return found;
    }

    /// <summary>Every item of a partition that the condition on its keys matches, in the order of the sort key.</summary>
    public async Task<List<Item>> QueryAsync(string table, string keyCondition, Item values, CancellationToken ct, string? index = null, int? limit = null, bool newestFirst = false)
    {
        var found = new List<Item>();
        var request = new QueryRequest
        {
            TableName = table,
            IndexName = index,
            KeyConditionExpression = keyCondition,
            ExpressionAttributeNames = Expressions.Names(keyCondition),
            ExpressionAttributeValues = values.Attributes,
            ConsistentRead = index is null,
            ScanIndexForward = !newestFirst,
        };
        do
        {
            request.Limit = limit - found.Count;
            var answer = await QueryPageAsync(request, ct);
            if (answer.Items is { } items) found.AddRange(items.Select(item => new Item(item)));
            request.ExclusiveStartKey = answer.LastEvaluatedKey;
        }
        while (request.ExclusiveStartKey is { Count: > 0 } && !(found.Count >= limit));

        return found;
    }

    public Task<QueryResponse> QueryPageAsync(QueryRequest request, CancellationToken ct) => TryAsync(() => client.QueryAsync(request, ct), "answer a query", ct);

    /// <summary>Every item of a table. For audits only: it reads all there is.</summary>
    public async Task<List<Item>> ScanAsync(string table, CancellationToken ct)
    {
        var found = new List<Item>();
        var request = new ScanRequest { TableName = table, ConsistentRead = true };
        do
        {
            var answer = await TryAsync(() => client.ScanAsync(request, ct), "scan a table", ct);
            if (answer.Items is { } items) found.AddRange(items.Select(item => new Item(item)));
            request.ExclusiveStartKey = answer.LastEvaluatedKey;
        }
        while (request.ExclusiveStartKey is { Count: > 0 });

        return found;
    }

    /// <summary>Adds or replaces an item; a second time changes nothing.</summary>
    public Task PutAsync(string table, Item item, CancellationToken ct) =>
        TryAsync(() => client.PutItemAsync(new PutItemRequest { TableName = table, Item = item.Attributes }, ct), "write an item", ct);

    /// <summary>Adds or replaces an item. Null where it was written, else the item that did not meet the condition. A repetition may be refused by what the first try wrote.</summary>
    public async Task<Item?> PutAsync(string table, Item item, string condition, Item values, CancellationToken ct)
    {
        var request = new PutItemRequest
        {
            TableName = table,
            Item = item.Attributes,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(condition),
            ExpressionAttributeValues = values.Attributes,
            ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
        };
        try
        {
            await TryAsync(() => client.PutItemAsync(request, ct), "write an item", ct);
            return null;
        }
        catch (ConditionalCheckFailedException e)
        {
            return new Item(e.Item ?? []);
        }
    }

    /// <summary>Removes an item. False where it does not meet the condition, or is gone: also where a repetition finds what the first try did.</summary>
    public async Task<bool> DeleteAsync(string table, Item key, string condition, Item? values, CancellationToken ct)
    {
        var request = new DeleteItemRequest
        {
            TableName = table,
            Key = key.Attributes,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(condition),
            ExpressionAttributeValues = values?.Attributes,
        };
        try
        {
            await TryAsync(() => client.DeleteItemAsync(request, ct), "delete an item", ct);
            return true;
        }
        catch (ConditionalCheckFailedException)
        {
            return false;
        }
    }

    /// <summary>Removes items; those that are gone already are no error.</summary>
    public async Task DeleteAsync(string table, IReadOnlyCollection<Item> keys, CancellationToken ct)
    {
        foreach (var some in keys.Chunk(MostWritesAtOnce))
        {
            var wanted = new Dictionary<string, List<WriteRequest>> { [table] = [.. some.Select(key => new WriteRequest(new DeleteRequest(key.Attributes)))] };
            var backoff = new Backoff(time);
            while (wanted is { Count: > 0 })
            {
                var request = new BatchWriteItemRequest { RequestItems = wanted };
                wanted = (await TryAsync(() => client.BatchWriteItemAsync(request, ct), "write a batch", ct)).UnprocessedItems;
                if (wanted is { Count: > 0 } && !await backoff.WaitAsync(ct)) throw Busy("write a batch", null);
            }
        }
    }

    /// <summary>Null where it was written, else the item that did not meet the condition (empty where there is none). The change must be one that a second time changes nothing.</summary>
    public async Task<Item?> UpdateAsync(string table, Item key, string update, string condition, Item values, CancellationToken ct)
    {
        var request = new UpdateItemRequest
        {
            TableName = table,
            Key = key.Attributes,
            UpdateExpression = update,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(update, condition),
            ExpressionAttributeValues = values.Attributes,
            ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
        };
        try
        {
            await TryAsync(() => client.UpdateItemAsync(request, ct), "update an item", ct);
            return null;
        }
        catch (ConditionalCheckFailedException e)
        {
            return new Item(e.Item ?? []);
        }
    }

    /// <summary>
    /// As <see cref="UpdateAsync"/>, for a change that is told from another by what it leaves: the item as it is after it, or as it is where it did not meet
    /// the condition.
    /// </summary>
    public async Task<(bool Changed, Item Item)> ChangeAsync(string table, Item key, string update, string condition, Item values, CancellationToken ct)
    {
        var request = new UpdateItemRequest
        {
            TableName = table,
            Key = key.Attributes,
            UpdateExpression = update,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(update, condition),
            ExpressionAttributeValues = values.Attributes,
            ReturnValues = ReturnValue.ALL_NEW,
            ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
        };
        try
        {
            var answer = await TryAsync(() => client.UpdateItemAsync(request, ct), "update an item", ct);
            return (true, new Item(answer.Attributes));
        }
        catch (ConditionalCheckFailedException e)
        {
            return (false, new Item(e.Item ?? []));
        }
    }

    /// <summary>How many items of a partition the condition on its keys matches.</summary>
    public async Task<int> CountAsync(string table, string index, string keyCondition, Item values, CancellationToken ct)
    {
        var request = new QueryRequest
        {
            TableName = table,
            IndexName = index,
            KeyConditionExpression = keyCondition,
            ExpressionAttributeNames = Expressions.Names(keyCondition),
            ExpressionAttributeValues = values.Attributes,
            Select = Select.COUNT,
        };
        var count = 0;
        do
        {
            var answer = await QueryPageAsync(request, ct);
            count += answer.Count ?? 0;
            request.ExclusiveStartKey = answer.LastEvaluatedKey;
        }
        while (request.ExclusiveStartKey is { Count: > 0 });

        return count;
    }

    /// <summary>
    /// Writes all or nothing, once: the token lets DynamoDB know a repetition for ten minutes, so that a time-out, of which nobody knows whether it was
    /// before or after the write, is tried again without harm.
    /// </summary>
    public async Task<Outcome> WriteAsync(Transaction transaction, string token, CancellationToken ct)
    {
        if (transaction.Writes.Count > Transaction.Most) throw new InvalidOperationException($"A transaction of {transaction.Writes.Count} items is larger than DynamoDB's {Transaction.Most}.");
        var request = new TransactWriteItemsRequest { TransactItems = transaction.Writes, ClientRequestToken = token };
        try
        {
            await TryAsync(() => client.TransactWriteItemsAsync(request, ct), "write a transaction", ct);
            return Outcome.Done;
        }
        catch (TransactionCanceledException e) when (Refusals(e) is { Count: > 0 } refused)
        {
            return new Outcome(false, refused);
        }
    }

    /// <summary>As <see cref="WriteAsync(Transaction, string, CancellationToken)"/>; where no answer ever comes, what is there says whether it was written.</summary>
    public async Task<Outcome> WriteAsync(Transaction transaction, Func<Task<bool>> isThere, CancellationToken ct)
    {
        try
        {
            return await WriteAsync(transaction, NewToken(), ct);
        }
        catch (DynamoBusyException)
        {
            if (await isThere()) return Outcome.Done;
            throw;
        }
    }

    public void Dispose() => client.Dispose();

    /// <summary>Sends until it is answered. The SDK's own retries are off: they know nothing of our clock, and give up when many fail at once.</summary>
    private async Task<T> TryAsync<T>(Func<Task<T>> send, string what, CancellationToken ct)
    {
        var backoff = new Backoff(time, Longest);
        while (true)
        {
            try
            {
                return await send();
            }
            catch (Exception e) when (IsPassing(e) && !ct.IsCancellationRequested)
            {
                if (!await backoff.WaitAsync(ct)) throw Busy(what, e);
            }
        }
    }

    private static Dictionary<int, Item?> Refusals(TransactionCanceledException e)
    {
        var refused = new Dictionary<int, Item?>();
        var reasons = e.CancellationReasons ?? [];
        for (var i = 0; i < reasons.Count; i++)
        {
            if (reasons[i].Code == "ConditionalCheckFailed") refused[i] = reasons[i].Item is { Count: > 0 } item ? new Item(item) : null;
        }

        return refused;
    }

    /// <summary>What the same request may find otherwise in a moment.</summary>
    private static bool IsPassing(Exception e) => e switch
    {
        TransactionCanceledException canceled => canceled.CancellationReasons?.Exists(reason => reason.Code is "ConditionalCheckFailed" or "ValidationError" or "ItemCollectionSizeLimitExceeded" or "DuplicateItem") == false,
        TransactionInProgressException or TransactionConflictException or ThrottlingException or ProvisionedThroughputExceededException or RequestLimitExceededException => true,
        AmazonServiceException service => service.StatusCode >= HttpStatusCode.InternalServerError || service.InnerException is HttpRequestException or OperationCanceledException or IOException,
        HttpRequestException or TimeoutException or OperationCanceledException or IOException => true,
        AmazonClientException client => client.InnerException is HttpRequestException or OperationCanceledException or IOException,
        _ => false,
    };

    private static DynamoBusyException Busy(string what, Exception? e) =>
        new($"DynamoDB did not {what}, however often it was asked{(e is null ? "" : $" ({e.Message})")}. Try again; if it lasts, look at the tables' throttled requests.", e);
}
