"""Who is told of cases: other systems by signed webhooks, people by the robots of their chat groups."""
