using Penstock.Budgets;

namespace Penstock.Alerts;

/// <summary>A way to tell somebody.</summary>
internal interface IAlertChannel
{
    /// <summary>Stays the same while the channel does: it is noted as having an alert under this name. Such as <c>slack</c> or <c>webhook:ops</c>.</summary>
    string Name { get; }

    /// <summary>Completes when the other side has it. The same alert may come again; it is recognised by its id.</summary>
    /// <exception cref="NotSentException">It was not taken.</exception>
    Task SendAsync(BudgetAlert alert, CancellationToken ct);
}

/// <param name="why">Goes to the log: it holds no URL, no secret and nothing that the other side said.</param>
internal sealed class NotSentException(string why, Exception? inner = null) : Exception(why, inner);
