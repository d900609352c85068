using Amazon.DynamoDBv2.Model;

namespace Penstock.Aws.DynamoDb;

/// <summary>Writes of several items that all happen or none; at most <see cref="Most"/>. Each method returns the write's index, by which an outcome names what refused.</summary>
internal sealed class Transaction
{
    public const int Most = 100;

    private readonly HashSet<string> _once = [];

    public List<TransactWriteItem> Writes { get; } = [];

    /// <summary>True the first time: DynamoDB takes one write of an item.</summary>
    public bool Once(string item) => _once.Add(item);

    public int Put(string table, Item item, string? condition = null, Item? values = null) => Add(new TransactWriteItem
    {
        Put = new Put
        {
            TableName = table,
            Item = item.Attributes,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(condition),
            ExpressionAttributeValues = values?.Attributes,
            ReturnValuesOnConditionCheckFailure = Amazon.DynamoDBv2.ReturnValuesOnConditionCheckFailure.ALL_OLD,
        },
    });

    public int Update(string table, Item key, string update, string? condition, Item values) => Add(new TransactWriteItem
    {
        Update = new Update
        {
            TableName = table,
            Key = key.Attributes,
            UpdateExpression = update,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(update, condition),
            ExpressionAttributeValues = values.Attributes,
            ReturnValuesOnConditionCheckFailure = Amazon.DynamoDBv2.ReturnValuesOnConditionCheckFailure.ALL_OLD,
        },
    });

    public int Delete(string table, Item key, string condition, Item? values = null) => Add(new TransactWriteItem
    {
        Delete = new Delete
        {
            TableName = table,
            Key = key.Attributes,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(condition),
            ExpressionAttributeValues = values?.Attributes,
            ReturnValuesOnConditionCheckFailure = Amazon.DynamoDBv2.ReturnValuesOnConditionCheckFailure.ALL_OLD,
        },
    });

    public int Check(string table, Item key, string condition, Item? values = null) => Add(new TransactWriteItem
    {
        ConditionCheck = new ConditionCheck
        {
            TableName = table,
            Key = key.Attributes,
            ConditionExpression = condition,
            ExpressionAttributeNames = Expressions.Names(condition),
            ExpressionAttributeValues = values?.Attributes,
            ReturnValuesOnConditionCheckFailure = Amazon.DynamoDBv2.ReturnValuesOnConditionCheckFailure.ALL_OLD,
        },
    });

    private int Add(TransactWriteItem write)
    {
        Writes.Add(write);
        return Writes.Count - 1;
    }
}

/// <summary>Whether a transaction was written, or which conditions were not met.</summary>
/// <param name="Refused">By the write's index, the item as it is (null where there is none).</param>
internal sealed record Outcome(bool Written, IReadOnlyDictionary<int, Item?> Refused)
{
    public static readonly Outcome Done = new(true, new Dictionary<int, Item?>());

    public bool RefusedAt(int index) => Refused.ContainsKey(index);
}
